//! Files as they are published: packed by gzip, and in archives of tar.

#![allow(dead_code, reason = "every test program uses its own part of this")]

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(Compression::fast(), bytes)
}

fn gzip_at(level: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).expect("a write to memory");
    encoder.finish().expect("a write to memory")
}

/// An archive with these files.
pub fn tarball(files: &[(&str, &[u8])]) -> Vec<u8> {
    tarball_at(Compression::fast(), files)
}

pub fn tarball_at(level: Compression, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *contents).expect("an entry");
    }
    gzip_at(level, &archive.into_inner().expect("an archive"))
}

/// An archive with what a folder holds, under that name.
pub fn folder(name: impl AsRef<Path>, path: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(name, path).expect("files");
    gzip(&archive.into_inner().expect("an archive"))
}
