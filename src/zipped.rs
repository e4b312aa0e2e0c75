//! Zip archives as NumPy's `.npz` files and published data sets are: files stored or deflated, checked, and never larger than
//! allowed. PyTorch's checkpoints, where nothing is unpacked or copied, have a reader of their own in `model::weights`.

use crate::files;
use anyhow::{Context, Result, bail, ensure};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{Read, Seek};
use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

/// An open archive.
pub struct Zipped<R>(ZipArchive<R>);

impl<R: Read + Seek> Zipped<R> {
    /// Reads the list of files.
    ///
    /// # Errors
    /// When it is missing or broken.
    pub fn open(reader: R) -> Result<Self> {
        // It begins where the file does. The crate would look for another beginning through all of a file of any size.
        let whole = Config { archive_offset: ArchiveOffset::Known(0) };
        Ok(Self(ZipArchive::with_config(whole, reader).context("it is not a zip archive, or a damaged one")?))
    }

    /// The contents of the file of that name in whatever directory; None if there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when several directories have one.
    pub fn read_anywhere(&mut self, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let names = self.0.file_names().collect::<Result<Vec<_>, _>>().context("the name of a file is damaged")?;
        let mut places = names.iter().filter(|path| path.rsplit('/').next() == Some(name));
        let Some(path) = places.next().map(|path| path.to_string()) else { return Ok(None) };
        ensure!(places.next().is_none(), "it holds two files called {name}");
        self.read(&path, limit)
    }

    /// The contents of a file; None if there is none of that name.
    ///
    /// # Errors
    /// When it is encrypted or compressed by another method, is damaged, or has more than `limit` bytes.
    pub fn read(&mut self, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let Some(place) = self.0.index_for_name(name) else { return Ok(None) };
        let entry = self.0.by_index_raw(place).with_context(|| format!("{name} is damaged"))?;
        ensure!(!entry.encrypted(), "{name} is encrypted");
        let (method, crc) = (entry.compression(), entry.crc32());
        let bytes = match method {
            CompressionMethod::Stored => files::read_at_most(entry, limit),
            CompressionMethod::DEFLATE => files::read_at_most(DeflateDecoder::new(entry), limit),
            _ => bail!("{name} is compressed by a method that is not read here ({method}); use deflate or none"),
        };
        let bytes = bytes.with_context(|| name.to_string())?;
        let mut found = Crc::new();
        found.update(&bytes);
        ensure!(found.sum() == crc, "{name} is damaged: its checksum (CRC-32) is not the stored one");
        Ok(Some(bytes))
    }
}
