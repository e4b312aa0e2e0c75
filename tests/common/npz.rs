//! NumPy's archives in small.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;

/// An array: the kind of its entries and its shape as NumPy writes them, and the bytes of the entries.
pub fn array(kind: &str, shape: &str, entries: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), entries].concat()
}

/// A zip archive of deflated files.
pub fn deflated(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut list) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).expect("a write to memory");
        let packed = encoder.finish().expect("a write to memory");
        let mut crc = flate2::Crc::new();
        crc.update(contents);
        let numbers = [crc.sum(), packed.len() as u32, contents.len() as u32].map(u32::to_le_bytes).concat();
        let name_length = (name.len() as u16).to_le_bytes();
        let common = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &numbers, &name_length, &[0, 0]].concat();
        let start = (archive.len() as u32).to_le_bytes();
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
        list.extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &start, name.as_bytes()].concat());
    }
    let (count, size) = ((files.len() as u16).to_le_bytes(), (list.len() as u32).to_le_bytes());
    let start = (archive.len() as u32).to_le_bytes();
    let end = [b"PK\x05\x06\x00\x00\x00\x00", &count[..], &count, &size, &start, &[0, 0]].concat();
    [archive, list, end].concat()
}
