//! Thrift's compact protocol, for the numbers in a parquet file by which its reader allocates or recurses before it looks at them.
//! What parquet does not use is refused, so that nothing is read here as another thing than there.

use anyhow::{Context, Result, bail, ensure};

/// Structures and lists within others; parquet has eight.
const DEEPEST: usize = 16;
/// Items of a list. The longest of a file has one for every row group.
const MOST_ITEMS: u64 = 100_000;

/// Kinds of fields.
pub(super) const BOOL: u8 = 1;
pub(super) const BYTE: u8 = 3;
pub(super) const INT: u8 = 5;
pub(super) const LONG: u8 = 6;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Bytes that are being read.
pub(super) struct Thrift<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Thrift<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The number and kind of the next field of a structure, whose fields from 1 on are of these kinds; None at its end. Numbers
    /// ascend, so no field comes twice.
    pub fn field(&mut self, before: i16, kinds: &[u8]) -> Result<Option<(i16, u8)>> {
        let head = self.byte()?;
        // Truth values have a kind each.
        let (step, kind) = (i16::from(head >> 4), if head & 0x0f == 2 { BOOL } else { head & 0x0f });
        if kind == 0 {
            return Ok(None);
        }
        let number = before.checked_add(step).filter(|_| step > 0).context("a field has no number")?;
        let known = usize::try_from(number - 1).ok().and_then(|place| kinds.get(place));
        ensure!(known.is_none_or(|known| *known == kind), "field {number} is of kind {kind}");
        Ok(Some((number, kind)))
    }

    /// A number with a sign.
    pub fn integer(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The kind of a list's items, and how many there are.
    pub fn list(&mut self) -> Result<(u8, u64)> {
        let head = self.byte()?;
        let (items, kind) = (u64::from(head >> 4), head & 0x0f);
        let items = if items == 15 { self.number()? } else { items };
        ensure!(items <= MOST_ITEMS, "a list has {items} items, more than {MOST_ITEMS}");
        ensure!(items == 0 || kind >= BYTE, "a list is of kind {kind}");
        Ok((kind, items))
    }

    /// Passes over a field of that kind.
    pub fn skip(&mut self, kind: u8) -> Result<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: u8, depth: usize) -> Result<()> {
        let below = || depth.checked_sub(1).context("its structures are too deep");
        match kind {
            BOOL => {}
            BYTE => self.take(1)?,
            4 | INT | LONG => drop(self.number()?),
            7 => self.take(8)?,
            BINARY => {
                let length = self.number()?;
                self.take(length)?;
            }
            LIST => {
                let (depth, (kind, items)) = (below()?, self.list()?);
                (0..items).try_for_each(|_| self.skip_within(kind, depth))?;
            }
            STRUCT => {
                let (depth, mut last) = (below()?, 0);
                while let Some((number, kind)) = self.field(last, &[])? {
                    self.skip_within(kind, depth)?;
                    last = number;
                }
            }
            _ => bail!("a field is of kind {kind}"),
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).context("it ends too soon")?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: u64) -> Result<()> {
        let left = (self.bytes.len() - self.at) as u64;
        ensure!(length <= left, "it ends too soon");
        self.at += length as usize;
        Ok(())
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for group in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("a number has more than 64 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_lists_and_structures_are_read_and_skipped() {
        // 1: -1, 2: list of two numbers, 4: { 1: true }, 5: "ab".
        let bytes = [0x15, 0x01, 0x19, 0x25, 0x02, 0x80, 0x01, 0x2c, 0x11, 0x00, 0x18, 0x02, b'a', b'b', 0x00];
        let mut thrift = Thrift::new(&bytes);
        assert_eq!(thrift.field(0, &[INT]).expect("a field"), Some((1, INT)));
        assert_eq!(thrift.integer().expect("a number"), -1);
        for number in [2, 4, 5] {
            let before = if number == 4 { 2 } else { number - 1 };
            let (found, kind) = thrift.field(before, &[]).expect("a field").expect("not the end");
            assert_eq!(found, number);
            thrift.skip(kind).expect("a field");
        }
        assert_eq!((thrift.field(5, &[]).expect("the end"), thrift.at()), (None, bytes.len()));
        assert!(Thrift::new(&bytes).field(0, &[BINARY]).is_err());
        assert!(Thrift::new(&[0x05, 0x00]).field(0, &[]).is_err());
        assert!(Thrift::new(&[0x19; 100]).skip(LIST).is_err());
    }

    proptest! {
        #![proptest_config(crate::same_cases())]

        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..16) {
            let mut thrift = Thrift::new(&bytes);
            let _ = thrift.skip(kind);
            prop_assert!(thrift.at() <= bytes.len());
        }
    }
}
