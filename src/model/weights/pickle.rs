//! A pickle machine that only builds data: it imports nothing and calls nothing.
//!
//! Values lie in one list and refer to each other by their places there. So nothing recurses and nothing is copied, and a
//! structure that is deep, or doubled again and again by its memo, costs what its bytes cost.

use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

/// More instructions than the checkpoint of the deepest network here has, optimizer included. Each makes at most one
/// value of 40 bytes.
const MOST_INSTRUCTIONS: usize = 1 << 22;

/// The place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(usize);

/// What a pickle may hold, as far as checkpoints need it.
#[derive(Debug)]
pub enum Value<'a> {
    /// An integer of up to 64 bits.
    Int(i64),
    /// A longer one: its bytes, little-endian.
    Long(&'a [u8]),
    Bool(bool),
    Text(&'a str),
    /// A class or function by its name.
    Global {
        module: &'a str,
        name: &'a str,
    },
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// An ordered dictionary as well.
    Dict(Vec<(Id, Id)>),
    /// What a call would have made.
    Made {
        by: Id,
        from: Id,
        state: Option<Id>,
    },
    /// Data outside the pickle.
    Outside(Id),
    /// None, numbers with a fraction, bytes, sets.
    Other,
}

/// A read pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle that the bytes begin with; also says how many bytes it has.
    ///
    /// # Errors
    /// When it is broken, has instructions that checkpoints do not need, or too many.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, usize)> {
        let input = Input { bytes, at: 0 };
        let mut machine =
            Machine { input, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        for _ in 0..MOST_INSTRUCTIONS {
            let at = machine.input.at;
            let ended = machine.step().with_context(|| format!("its pickle is broken at byte {at}"))?;
            if let Some(root) = ended {
                return Ok((Self { values: machine.values, root }, machine.input.at));
            }
        }
        bail!("its pickle has more than {MOST_INSTRUCTIONS} instructions")
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    pub fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0]
    }

    pub fn text(&self, id: Id) -> Option<&'a str> {
        if let Value::Text(text) = self.value(id) { Some(text) } else { None }
    }

    /// An integer that is no less than 0.
    pub fn count(&self, id: Id) -> Option<usize> {
        if let Value::Int(count) = self.value(id) { usize::try_from(*count).ok() } else { None }
    }

    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        if let Value::Tuple(items) = self.value(id) { Some(items) } else { None }
    }

    pub fn dict(&self, id: Id) -> Option<&[(Id, Id)]> {
        if let Value::Dict(entries) = self.value(id) { Some(entries) } else { None }
    }

    /// The entry under a text; the last one, as in Python.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let mut entries = self.dict(dict)?.iter().rev();
        entries.find(|(name, _)| self.text(*name) == Some(key)).map(|(_, value)| *value)
    }
}

struct Machine<'a> {
    input: Input<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    /// Carries out one instruction; the last one gives the result.
    fn step(&mut self) -> Result<Option<Id>> {
        match self.input.byte()? {
            b'.' => return self.pop().map(Some),
            0x80 => drop(self.input.take(1)?),
            0x95 => drop(self.input.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'N' => self.push(Value::Other),
            code @ (0x88 | 0x89) => self.push(Value::Bool(code == 0x88)),
            b'G' => self.push_other(8)?,
            code @ (b'K' | b'M' | b'J' | 0x8a | 0x8b) => self.number(code)?,
            code @ (0x8c | b'X' | 0x8d | b'U' | b'T' | b'C' | b'B' | 0x8e | 0x96) => self.characters(code)?,
            code @ (b'c' | 0x93) => self.global(code)?,
            b')' => self.push(Value::Tuple(Vec::new())),
            code @ 0x85..=0x87 => self.short_tuple(usize::from(code - 0x84))?,
            code @ (b't' | b'l' | b'd') => self.collection(code)?,
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x8f => self.push(Value::Other),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Value::Other);
            }
            code @ (b'a' | b'e' | b's' | b'u' | 0x90) => self.extend(code)?,
            code @ (b'R' | 0x81 | 0x92) => self.make(code)?,
            b'b' => self.build()?,
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::Outside(name));
            }
            code @ (b'q' | b'r' | 0x94) => self.remember(code)?,
            code @ (b'h' | b'j') => {
                let place = self.input.number(if code == b'h' { 1 } else { 4 })?;
                self.stack.push(*self.memo.get(&place).context("its memo has no such place")?);
            }
            code => bail!("torch.save does not write the instruction {code:#04x}"),
        }
        Ok(None)
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(Id(self.values.len()));
        self.values.push(value);
    }

    fn push_other(&mut self, bytes: usize) -> Result<()> {
        self.input.take(bytes)?;
        self.push(Value::Other);
        Ok(())
    }

    fn top(&self) -> Result<Id> {
        let above_mark = self.stack.len() > self.marks.last().copied().unwrap_or(0);
        self.stack.last().copied().filter(|_| above_mark).context("its stack is empty")
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().context("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn number(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'K' => Value::Int(self.input.number(1)? as i64),
            b'M' => Value::Int(self.input.number(2)? as i64),
            b'J' => Value::Int(i64::from(self.input.number(4)? as u32 as i32)),
            _ => {
                let length = self.input.number(if code == 0x8a { 1 } else { 4 })?;
                long(self.input.take(length)?)
            }
        };
        self.push(value);
        Ok(())
    }

    /// Text, and the bytes as which Python 2 wrote it.
    fn characters(&mut self, code: u8) -> Result<()> {
        let width = match code {
            0x8c | b'U' | b'C' => 1,
            b'X' | b'T' | b'B' => 4,
            _ => 8,
        };
        let length = self.input.number(width)?;
        let bytes = self.input.take(length)?;
        self.push(match (code, std::str::from_utf8(bytes)) {
            (0x8c | b'X' | 0x8d | b'U' | b'T', Ok(text)) => Value::Text(text),
            _ => Value::Other,
        });
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<()> {
        let [module, name] = if code == b'c' {
            [self.input.line()?, self.input.line()?]
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let [Value::Text(module), Value::Text(name)] = [module, name].map(|id| &self.values[id.0]) else {
                bail!("a class has no name");
            };
            [*module, *name]
        };
        self.push(Value::Global { module, name });
        Ok(())
    }

    fn short_tuple(&mut self, length: usize) -> Result<()> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn collection(&mut self, code: u8) -> Result<()> {
        let items = self.pop_to_mark()?;
        self.push(match code {
            b't' => Value::Tuple(items),
            b'l' => Value::List(items),
            _ => Value::Dict(pairs(&items)?),
        });
        Ok(())
    }

    /// Puts items into the list or dictionary below them. Objects of other classes keep theirs to themselves.
    fn extend(&mut self, code: u8) -> Result<()> {
        let mut items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            _ => self.pop_to_mark()?,
        };
        let below = self.top()?;
        match &mut self.values[below.0] {
            Value::List(list) => list.append(&mut items),
            Value::Dict(entries) => entries.append(&mut pairs(&items)?),
            _ => {}
        }
        Ok(())
    }

    /// What a call of a class or function would make. Dictionaries of the standard library are dictionaries.
    fn make(&mut self, code: u8) -> Result<()> {
        if code == 0x92 {
            self.pop()?;
        }
        let (from, by) = (self.pop()?, self.pop()?);
        let dictionary = match self.values[by.0] {
            Value::Global { module: "collections", name } => matches!(name, "OrderedDict" | "defaultdict"),
            Value::Global { module, name } => matches!(module, "builtins" | "__builtin__") && name == "dict",
            _ => false,
        };
        let value = if dictionary { Value::Dict(self.listed(from)?) } else { Value::Made { by, from, state: None } };
        self.push(value);
        Ok(())
    }

    /// Python 2 gave an ordered dictionary its entries as a list of pairs.
    fn listed(&self, arguments: Id) -> Result<Vec<(Id, Id)>> {
        let Value::Tuple(arguments) = &self.values[arguments.0] else { bail!("a call has no arguments") };
        let Some(Value::List(items)) = arguments.first().map(|id| &self.values[id.0]) else { return Ok(Vec::new()) };
        let pair = |id: &Id| match &self.values[id.0] {
            Value::List(pair) | Value::Tuple(pair) => pairs(pair)?.first().copied().context("an entry is empty"),
            _ => bail!("an entry is no pair"),
        };
        items.iter().map(pair).collect()
    }

    fn build(&mut self) -> Result<()> {
        let (given, built) = (self.pop()?, self.top()?);
        if let Value::Made { state, .. } = &mut self.values[built.0] {
            *state = Some(given);
        }
        Ok(())
    }

    fn remember(&mut self, code: u8) -> Result<()> {
        let place = match code {
            b'q' => self.input.number(1)?,
            b'r' => self.input.number(4)?,
            _ => self.memo.len(),
        };
        self.memo.insert(place, self.top()?);
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks();
    ensure!(rest.is_empty(), "a key has no value");
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// An integer from its bytes, little-endian with a sign.
fn long(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [sign; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let taken = left.get(..length).context("it ends too soon")?;
        self.at += length;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number without a sign, little-endian.
    fn number(&mut self, width: usize) -> Result<usize> {
        let number = self.take(width)?.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).context("a length is beyond this machine")
    }

    fn line(&mut self) -> Result<&'a str> {
        let end = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').context("it ends too soon")?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).context("a name is not UTF-8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        format!("{:#}", Pickle::read(bytes).expect_err("a broken pickle"))
    }

    #[test]
    fn nested_tuples_are_as_deep_as_they_like() {
        let bytes = [&b"\x80\x02)"[..], &vec![0x85; 1_000_000], b"."].concat();
        let (pickle, length) = Pickle::read(&bytes).expect("a deep pickle");
        assert_eq!((length, pickle.values().len()), (bytes.len(), 1_000_001));
    }

    #[test]
    fn doubling_by_the_memo_costs_nothing() {
        let mut bytes = b"\x80\x02)q\0".to_vec();
        for place in 1..=60 {
            bytes.extend([b'h', place - 1, b'h', place - 1, 0x86, b'q', place]);
        }
        bytes.push(b'.');
        let (pickle, _) = Pickle::read(&bytes).expect("2 to the power of 60 empty tuples");
        assert_eq!(pickle.values().len(), 61);
    }

    #[test]
    fn endless_pickles_and_lengths_beyond_the_file_are_refused() {
        assert!(problem(&vec![b'N'; MOST_INSTRUCTIONS + 1]).contains("instructions"));
        assert!(problem(&[b"N"[..].to_vec(), vec![0x94; MOST_INSTRUCTIONS]].concat()).contains("instructions"));
        for bytes in [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"\x8b\xff\xff\xff\x7f", b""]
        {
            assert!(problem(bytes).contains("it ends too soon"), "{bytes:?}");
        }
    }

    #[test]
    fn broken_stacks_are_refused() {
        for bytes in [&b"."[..], b"t.", b"R.", b"(R.", b"h\0.", b"N(0.", b"}(Nu.", b"NNR", b"c\n", b"a", b"I1\n."] {
            problem(bytes);
        }
    }

    #[test]
    fn lists_grow_after_they_were_remembered_and_ordered_dictionaries_keep_their_order() {
        let (pickle, _) = Pickle::read(b"\x80\x02]q\0K\x01ah\0\x86.").expect("a list twice");
        let [first, second] = pickle.tuple(pickle.root()).expect("a tuple") else { panic!("two lists") };
        assert_eq!(first, second);
        assert!(matches!(pickle.value(*first), Value::List(items) if items.len() == 1));
        let ordered = b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\0\0\0bK\x02X\x01\0\0\0aJ\xff\xff\xff\xffu.";
        let (pickle, _) = Pickle::read(ordered).expect("a dictionary");
        let keys: Vec<_> =
            pickle.dict(pickle.root()).expect("entries").iter().map(|(key, _)| pickle.text(*key)).collect();
        assert_eq!(keys, [Some("b"), Some("a")]);
        assert_eq!(pickle.entry(pickle.root(), "b").and_then(|id| pickle.count(id)), Some(2));
        assert_eq!(pickle.entry(pickle.root(), "a").and_then(|id| pickle.count(id)), None);
    }
}
