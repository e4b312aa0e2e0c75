//! IDX, the format in which MNIST was published: a header of big-endian numbers, then the bytes of an array, row-major.

use crate::files;
use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::GzDecoder;
use std::borrow::Cow;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The code of unsigned bytes, the only kind of number read here.
const UNSIGNED_BYTES: u8 = 0x08;
/// Members of a gzip file, which may be empty; the originals have one.
const MOST_MEMBERS: usize = 1 << 16;
/// Bytes of a header with as many axes as there can be.
const LONGEST_HEADER: usize = 4 + 4 * 255;

/// An array of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// Extent along each axis.
    pub dimensions: Vec<usize>,
    /// Row-major.
    pub bytes: Vec<u8>,
}

impl Array {
    /// Reads the contents of an IDX file, plain or gzip, of an array with at most `most` bytes.
    ///
    /// # Errors
    /// When it is no IDX file of unsigned bytes, is cut short, goes on after its end, is larger, or cannot be decompressed.
    pub fn decode<'f>(file: impl Into<Cow<'f, [u8]>>, most: usize) -> Result<Self> {
        let mut file: Cow<'f, [u8]> = file.into();
        if file.starts_with(&GZIP) {
            file = Cow::Owned(decompress(&file, LONGEST_HEADER.saturating_add(most))?);
        }
        let Some((&[zero, also_zero, kind, axes], rest)) = file.split_first_chunk::<4>() else {
            bail!("has {} bytes, too few for an IDX header; the file is cut short", file.len());
        };
        if (zero, also_zero, kind) != (0, 0, UNSIGNED_BYTES) || axes == 0 {
            bail!(
                "starts with {zero:02x}{also_zero:02x}{kind:02x}{axes:02x}, not with the magic number of an IDX file \
                 of bytes (000008..); use the original file"
            );
        }
        let axes = usize::from(axes);
        ensure!(rest.len() >= 4 * axes, "ends inside its IDX header; the file is cut short");
        let (extents, bytes) = rest.split_at(4 * axes);
        let dimensions: Vec<usize> = extents
            .chunks_exact(4)
            .map(|extent| extent.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
            .collect();
        let expected = dimensions.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        let found = bytes.len();
        match expected {
            Some(expected) if expected == found => {
                ensure!(found <= most, "has {found} bytes after its header, more than {most}; use the original file");
                // What was given away is not copied.
                let mut bytes = file.into_owned();
                bytes.drain(..bytes.len() - found);
                Ok(Self { dimensions, bytes })
            }
            Some(expected) if expected < found => {
                bail!("has {found} bytes after its header, {dimensions:?} needs {expected}; the file is damaged")
            }
            _ => bail!("has {found} bytes after its header, too few for {dimensions:?}; the file is cut short"),
        }
    }

    /// The bytes of an IDX file, plain.
    pub fn encode(&self) -> Vec<u8> {
        [&header(&self.dimensions)[..], &self.bytes].concat()
    }
}

/// What stands before the bytes of an array. Extents beyond 32 bits do not exist in the format and are cut.
pub fn header(dimensions: &[usize]) -> Vec<u8> {
    let mut header = vec![0, 0, UNSIGNED_BYTES, dimensions.len() as u8];
    header.extend(dimensions.iter().flat_map(|extent| (*extent as u32).to_be_bytes()));
    header
}

/// One gzip member after the other. Zeros may follow the last: tapes and block devices fill up with them.
fn decompress(mut file: &[u8], most: usize) -> Result<Vec<u8>> {
    let (mut bytes, mut members) = (Vec::new(), 0);
    while file.iter().any(|byte| *byte != 0) {
        members += 1;
        ensure!(members <= MOST_MEMBERS, "has more than {MOST_MEMBERS} gzip members; use the original file");
        let member = files::read_at_most(GzDecoder::new(&mut file), most.saturating_sub(bytes.len()));
        bytes.extend(member.context("cannot be decompressed; use the original file")?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn small() -> Array {
        Array { dimensions: vec![3, 2, 2], bytes: (0..12).collect() }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("a write to memory");
        encoder.finish().expect("a write to memory")
    }

    #[test]
    fn plain_and_gzip_files_are_read_alike() {
        let file = small().encode();
        assert_eq!(file[..8], [0, 0, 8, 3, 0, 0, 0, 3]);
        assert_eq!(Array::decode(&file, 12).expect("a plain file"), small());
        assert_eq!(Array::decode(gzip(&file), 12).expect("a gzip file"), small());
    }

    #[test]
    fn gzip_files_may_have_several_members_and_end_in_zeros_but_no_file_may_be_larger_than_allowed() {
        let file = small().encode();
        let (first, second) = file.split_at(7);
        let members = [gzip(first), gzip(second), vec![0; 600]].concat();
        assert_eq!(Array::decode(&members, 12).expect("two members"), small());
        let garbage = [gzip(&file), vec![0, 0, 1]].concat();
        assert!(Array::decode(&garbage, 12).is_err());
        for larger in [file.clone(), gzip(&file)] {
            let told = Array::decode(larger, 11).expect_err("a byte too many").to_string();
            assert_eq!(told, "has 12 bytes after its header, more than 11; use the original file");
        }
        let bomb = gzip(&vec![0; 1 << 22]);
        assert!(format!("{:#}", Array::decode(&bomb, 12).expect_err("a bomb")).contains("it holds more than"));
    }

    #[test]
    fn damaged_files_are_told() {
        let file = small().encode();
        let told = |bytes: &[u8]| format!("{:#}", Array::decode(bytes, 12).expect_err("a damaged file"));
        for cut in [0, 3, 10, 16, file.len() - 1] {
            assert!(told(&file[..cut]).contains("cut short"), "{cut}: {}", told(&file[..cut]));
        }
        assert!(told(&[&file[..], &[0]].concat()).contains("damaged"));
        let zipped = gzip(&file);
        assert!(told(&zipped[..zipped.len() - 9]).contains("cannot be decompressed"));
        assert!(told(b"PAR1 and more").contains("50415231"));
        let mut floats = file.clone();
        floats[2] = 0x0d;
        assert!(told(&floats).contains("00000d03"));
        // Extents whose product does not fit into a number.
        assert!(told(&[&[0, 0, 8, 3][..], &[255; 12]].concat()).contains("cut short"));
    }
}
