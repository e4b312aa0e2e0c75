//! The instructions of a pickle.

use super::input::Input;
use super::{Id, MOST_INSTRUCTIONS, Value};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

/// The state of a machine.
pub(super) struct Machine<'a> {
    input: Input<'a>,
    pub(super) values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
    /// Entries of lists that were made dictionaries.
    copied: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let input = Input::new(bytes);
        Self { input, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), copied: 0 }
    }

    /// Bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.input.at
    }

    /// Carries out one instruction; the last one gives the result.
    pub(super) fn step(&mut self) -> Result<Option<Id>> {
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
            code => bail!("the instruction {code:#04x} is not read here"),
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
            _ => Value::Bytes(bytes),
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

    /// Python 2 gave an ordered dictionary its entries as a list of pairs. Any number of calls may name one list.
    fn listed(&mut self, arguments: Id) -> Result<Vec<(Id, Id)>> {
        let Value::Tuple(arguments) = &self.values[arguments.0] else { bail!("a call has no arguments") };
        let Some(Value::List(items)) = arguments.first().map(|id| &self.values[id.0]) else { return Ok(Vec::new()) };
        let pair = |id: &Id| match &self.values[id.0] {
            Value::List(pair) | Value::Tuple(pair) => pairs(pair)?.first().copied().context("an entry is empty"),
            _ => bail!("an entry is no pair"),
        };
        self.copied += items.len();
        ensure!(self.copied <= MOST_INSTRUCTIONS, "it copies lists too often");
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
