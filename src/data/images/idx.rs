//! IDX, the format in which MNIST was published: a header of big-endian numbers, then the bytes of an array, row-major.

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The code of unsigned bytes, the only kind of number read here.
const UNSIGNED_BYTES: u8 = 0x08;

/// An array of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// Extent along each axis.
    pub dimensions: Vec<usize>,
    /// Row-major.
    pub bytes: Vec<u8>,
}

impl Array {
    /// Reads the contents of an IDX file, plain or gzip.
    ///
    /// # Errors
    /// When it is no IDX file of unsigned bytes, is cut short, goes on after its end, or cannot be decompressed.
    pub fn decode(file: &[u8]) -> Result<Self> {
        let file = if file.starts_with(&GZIP) { Cow::Owned(decompress(file)?) } else { Cow::Borrowed(file) };
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
            Some(expected) if expected == found => Ok(Self { dimensions, bytes: bytes.to_vec() }),
            Some(expected) if expected < found => {
                bail!("has {found} bytes after its header, {dimensions:?} needs {expected}; the file is damaged")
            }
            _ => bail!("has {found} bytes after its header, too few for {dimensions:?}; the file is cut short"),
        }
    }

    /// The bytes of an IDX file, plain. Extents beyond 32 bits do not exist in the format and are cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut file = vec![0, 0, UNSIGNED_BYTES, self.dimensions.len() as u8];
        for extent in &self.dimensions {
            file.extend((*extent as u32).to_be_bytes());
        }
        file.extend(&self.bytes);
        file
    }
}

fn decompress(file: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut bytes).context("cannot be decompressed; the file is damaged")?;
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
        assert_eq!(Array::decode(&file).expect("a plain file"), small());
        assert_eq!(Array::decode(&gzip(&file)).expect("a gzip file"), small());
    }

    #[test]
    fn damaged_files_are_told() {
        let file = small().encode();
        let told = |bytes: &[u8]| format!("{:#}", Array::decode(bytes).expect_err("a damaged file"));
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
