//! Python's pickles, by a machine that only builds data: it imports nothing and calls nothing. PyTorch's checkpoints are
//! pickles, and so are the batches of CIFAR and of downsampled ImageNet.
//!
//! Values lie in one list and refer to each other by their places there. So nothing recurses and next to nothing is copied, and
//! a structure that is deep, or doubled again and again by its memo, costs what its bytes cost.

mod input;
mod machine;

use anyhow::{Context, Result, bail};
use machine::Machine;

/// More instructions than the checkpoint of the deepest network here has, optimizer included, and ten times those of the
/// largest batch of CIFAR. Each makes at most one value of 40 bytes, and no more entries than these are copied from lists
/// into dictionaries.
pub const MOST_INSTRUCTIONS: usize = 1 << 22;

/// The place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(usize);

/// What a pickle may hold, as far as checkpoints and batches of images need it.
#[derive(Debug)]
pub enum Value<'a> {
    /// An integer of up to 64 bits.
    Int(i64),
    /// A longer one: its bytes, little-endian.
    Long(&'a [u8]),
    Bool(bool),
    Text(&'a str),
    /// What is no text; the bytes of a Python 2 string that happen to be UTF-8 are one.
    Bytes(&'a [u8]),
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
    /// None, numbers with a fraction, sets.
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
    /// When it is broken, has instructions that this machine does not know, or too many.
    pub fn read(bytes: &'a [u8]) -> Result<(Self, usize)> {
        let mut left = MOST_INSTRUCTIONS;
        Self::read_within(bytes, &mut left)
    }

    /// [`Pickle::read`] for one of several in a file, which have so many instructions left together.
    ///
    /// # Errors
    /// As [`Pickle::read`].
    pub fn read_within(bytes: &'a [u8], left: &mut usize) -> Result<(Self, usize)> {
        let mut machine = Machine::new(bytes);
        while let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            let at = machine.at();
            let ended = machine.step().with_context(|| format!("its pickle is broken at byte {at}"))?;
            if let Some(root) = ended {
                let at = machine.at();
                return Ok((Self { values: machine.values, root }, at));
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

    /// The bytes of a text, or of what is none: Python 2 did not tell them apart.
    pub fn bytes(&self, id: Id) -> Option<&'a [u8]> {
        match self.value(id) {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
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

    /// The entry under a text or its bytes; the last one, as in Python.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let mut entries = self.dict(dict)?.iter().rev();
        entries.find(|(name, _)| self.bytes(*name) == Some(key.as_bytes())).map(|(_, value)| *value)
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
    fn a_list_that_is_made_a_dictionary_again_and_again_is_refused() {
        let pairs = 1 << 12;
        let call = b"l\x85q\x01ccollections\nOrderedDict\nq\x02";
        let list = [&b"\x80\x02(NN\x86q\0"[..], &b"h\0".repeat(pairs), call].concat();
        let calls = |count: usize| [&list[..], &b"h\x02h\x01R".repeat(count), b"."].concat();
        assert!(Pickle::read(&calls(2)).is_ok());
        assert!(problem(&calls(MOST_INSTRUCTIONS / pairs)).contains("copies"));
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
