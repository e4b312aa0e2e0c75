//! NumPy's arrays of whole numbers: a header of text, then the entries, row by row.

use anyhow::{Context, Result, bail, ensure};

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of whole numbers.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    /// Extent along each axis.
    pub shape: Vec<usize>,
    /// The kind of entries, as NumPy writes it: `|u1`, `<i8`, `>u2`.
    kind: &'a str,
    entries: &'a [u8],
}

impl<'a> Array<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no such file, has entries column by column, or holds more or fewer bytes than its header says.
    pub fn decode(file: &'a [u8]) -> Result<Self> {
        let rest = file.strip_prefix(MAGIC).context("it is not a NumPy array")?;
        let (length, rest) = match rest.split_first_chunk::<2>().context("it ends inside its header")? {
            ([1, _], rest) => (rest.first_chunk().map(|bytes| usize::from(u16::from_le_bytes(*bytes))), rest.get(2..)),
            ([2 | 3, _], rest) => (rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize), rest.get(4..)),
            ([version, _], _) => bail!("it is of format version {version}; 1 to 3 are read"),
        };
        let header = length.zip(rest).and_then(|(length, rest)| rest.split_at_checked(length));
        let (header, entries) = header.context("it ends inside its header")?;
        let header = std::str::from_utf8(header).context("its header is not text")?;
        let kind = value(header, "descr").context("its header has no descr")?.trim_matches(['\'', '"']);
        ensure!(value(header, "fortran_order") == Some("False"), "its entries are stored column by column");
        let shape = value(header, "shape").and_then(extents).context("its header has no shape")?;
        let size = shape.iter().try_fold(width(kind)?, |size, extent| size.checked_mul(*extent));
        let found = entries.len();
        ensure!(size == Some(found), "its header says {shape:?} of {kind}, but {found} bytes follow");
        Ok(Self { shape, kind, entries })
    }

    /// The entries, if they are bytes.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        (self.kind == "|u1" || self.kind == "<u1" || self.kind == "u1").then_some(self.entries)
    }

    /// The entries as numbers.
    ///
    /// # Errors
    /// When one does not fit.
    pub fn numbers(&self) -> Result<Vec<i64>> {
        let (width, signed) = (width(self.kind)?, self.kind.contains('i'));
        let number = |entry: &[u8]| -> Result<i64> {
            let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
            let bits =
                if self.kind.starts_with('>') { entry.iter().fold(0, fold) } else { entry.iter().rev().fold(0, fold) };
            let unused = 64 - 8 * width as u32;
            if signed {
                return Ok((bits << unused).cast_signed() >> unused);
            }
            i64::try_from(bits).ok().with_context(|| format!("{bits} is not a class"))
        };
        self.entries.chunks_exact(width).map(number).collect()
    }
}

/// Bytes of an entry.
fn width(kind: &str) -> Result<usize> {
    match kind.trim_start_matches(['<', '>', '|', '=']) {
        "u1" | "i1" => Ok(1),
        "u2" | "i2" => Ok(2),
        "u4" | "i4" => Ok(4),
        "u8" | "i8" => Ok(8),
        _ => bail!("its entries are {kind}, not whole numbers of 1 to 8 bytes"),
    }
}

/// The value of a key in the text of a Python dictionary without nesting but for tuples.
fn value<'t>(header: &'t str, key: &str) -> Option<&'t str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = if rest.starts_with('(') { rest.find(')')? + 1 } else { rest.find([',', '}'])? };
    Some(rest[..end].trim_end())
}

/// The numbers of a tuple.
fn extents(tuple: &str) -> Option<Vec<usize>> {
    let inside = tuple.strip_prefix('(')?.strip_suffix(')')?;
    inside.split(',').map(str::trim).filter(|extent| !extent.is_empty()).map(|extent| extent.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(kind: &str, order: &str, shape: &str, entries: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), entries].concat()
    }

    #[test]
    fn numbers_of_any_width_and_order_are_read() {
        let read = |kind: &str, entries: &[u8]| {
            let file = file(kind, "False", "(2,)", entries);
            Array::decode(&file).and_then(|array| array.numbers()).expect("two numbers")
        };
        assert_eq!(read("|u1", &[1, 200]), [1, 200]);
        assert_eq!(read("<u2", &[1, 0, 232, 3]), [1, 1000]);
        assert_eq!(read(">u2", &[0, 1, 3, 232]), [1, 1000]);
        assert_eq!(read("<i4", &[255, 255, 255, 255, 7, 0, 0, 0]), [-1, 7]);
        assert_eq!(read(">i8", &[0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 0, 0, 0, 0, 2]), [1000, 2]);
    }

    proptest! {
        #![proptest_config(crate::same_cases())]

        #[test]
        fn any_header_is_an_array_or_an_error(
            kind in "[<>|=]?[uif][1248]", order in "True|False|", shape in "[(), 0-9]{0,12}|\\(2, ?\\)",
            entries in prop::collection::vec(any::<u8>(), 0..20), version in 0_u8..5, cut in any::<prop::sample::Index>(),
        ) {
            let mut file = file(&kind, &order, &shape, &entries);
            file[6] = version;
            for file in [&file[..], &file[..cut.index(file.len())]] {
                if let Ok(array) = Array::decode(file) {
                    let numbers = array.numbers().map_or(0, |numbers| numbers.len());
                    prop_assert!(numbers <= entries.len());
                }
            }
        }
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let told = |file: &[u8]| format!("{:#}", Array::decode(file).expect_err("a wrong header"));
        assert!(told(&file("|u1", "False", "(3,)", &[0; 2])).contains("2 bytes follow"));
        assert!(told(&file("|u1", "False", "(18446744073709551615, 3072)", &[0; 2])).contains("2 bytes follow"));
        assert!(told(&file("<f4", "False", "(1,)", &[0; 4])).contains("<f4"));
        assert!(told(&file("|u1", "True", "(1, 1)", &[0])).contains("column by column"));
        assert!(told(b"\x93NUMPY\x01\x00\xff\xff{").contains("inside its header"));
        assert!(told(b"PK").contains("not a NumPy array"));
    }
}
