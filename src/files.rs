//! Files on disk: regular ones only are read, and what is written appears whole or not at all.

use candle_core::Tensor;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// Bytes of the longest text that is read whole. Settings, manifests and pages have a hundredth of it; a parser makes many
/// times as much of what it reads.
pub const LONGEST_TEXT: u64 = 16 << 20;
/// Bytes of the largest file of any kind that is read whole: weights of the largest network, or a quarter of it with the
/// state of its optimizer.
pub const LARGEST: u64 = 8 << 30;

/// How names of temporary files begin.
pub const PARTIAL: &str = ".partial-";
/// Characters of a file's name in that of its temporary file: file systems take 255 bytes.
const LONGEST_PART: usize = 40;

/// Whether a value is the default, which files of settings leave out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Opens a regular file for reading.
///
/// # Errors
/// As [`File::open`], and when the path is a directory, a FIFO, a socket or a device: reading some of these never ends.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    if !kind.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// What was done with a file or directory, or None where there is none of that name.
///
/// # Errors
/// When it went wrong for another reason.
pub fn if_there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a whole regular file of at most [`LARGEST`] bytes.
///
/// # Errors
/// As [`read_within`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_within(path, LARGEST)
}

/// Reads a whole regular file, or nothing of one that is larger than `limit` bytes: a hole in a file takes no space on a disk,
/// but all of its size in memory.
///
/// # Errors
/// As [`open`], and when there are more bytes.
pub fn read_within(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).map_err(|_| too_large(limit))?)?;
    // A file of the kernel's has no length, and any file may grow.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

/// Reads a whole regular file of UTF-8 text, of at most [`LONGEST_TEXT`] bytes.
///
/// # Errors
/// As [`read_text_within`].
pub fn read_text(path: &Path) -> io::Result<String> {
    read_text_within(path, LONGEST_TEXT)
}

/// [`read_within`] for UTF-8 text.
///
/// # Errors
/// As [`read_within`], and when the bytes are not UTF-8.
pub fn read_text_within(path: &Path, limit: u64) -> io::Result<String> {
    let no_text = |_| io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(read_within(path, limit)?).map_err(no_text)
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("it holds more than {limit} bytes"))
}

/// Reads to the end of a stream, or fails once it has given more than `limit` bytes: a few compressed bytes may stand
/// for any number of others.
///
/// # Errors
/// As the reader, and when there are more bytes.
pub fn read_at_most(reader: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(too_large(limit as u64)) } else { Ok(bytes) }
}

/// Writes a file: a temporary file beside it receives the bytes, is synced and renamed, so that a kill or a full disk
/// leaves what was there before.
///
/// # Errors
/// As the writes.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |temporary| File::create(temporary)?.write_all(bytes))
}

/// [`write()`] for writers that want a path: `fill` writes the file at the path that it gets.
///
/// # Errors
/// As `fill`, and the renaming's as the same type.
pub fn write_with<E: From<io::Error>>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let parent = parent(path);
    // The name ends as the wanted one does: writers of images choose the format by it.
    let end = path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    let beginning = partial(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&beginning).suffix(&end);
    if let Some(rights) = rights(0o666) {
        builder.permissions(rights);
    }
    let temporary = builder.tempfile_in(parent)?.into_temp_path();
    fill(&temporary)?;
    File::open(&temporary)?.sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(parent)?;
    Ok(())
}

/// How the name of the temporary file begins that becomes the file at `path`: it tells whose file a kill has left.
pub(crate) fn partial(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{PARTIAL}{}-", name.chars().take(LONGEST_PART).collect::<String>())
}

/// Writes tensors into a .safetensors file with the rights of other new files; candle's `save` makes one that its owner alone
/// can read.
///
/// # Errors
/// As the write.
pub fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> candle_core::Result<()> {
    let bytes = safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), None)?;
    Ok(fs::write(path, bytes)?)
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(Sha256::digest(bytes).as_ref())
}

/// Size in bytes and SHA-256 of a regular file, read piece by piece.
///
/// # Errors
/// As [`open`].
pub fn measure(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut bytes) = (open(path)?, Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((bytes, hexadecimal(digest.finalize().as_ref())));
        }
        digest.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes renames and removals in a directory last through a power cut.
///
/// # Errors
/// When the directory cannot be opened.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems cannot sync a directory; there is nothing else to do.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// The directory in which a path lies.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are their owner's alone by default; results have the rights of other new files, less the umask.
#[cfg(unix)]
pub(crate) fn rights(mode: u32) -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(crate) fn rights(_mode: u32) -> Option<fs::Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let refused = open(directory.path()).expect_err("a directory");
        assert_eq!(refused.to_string(), "it is a directory");
        #[cfg(target_os = "linux")]
        assert_eq!(open(Path::new("/dev/zero")).expect_err("a device").to_string(), "it is not a regular file");
    }

    #[test]
    fn a_stream_that_gives_more_than_the_limit_is_refused() {
        assert_eq!(read_at_most(&[1_u8, 2, 3][..], 3).expect("three bytes"), [1, 2, 3]);
        assert_eq!(read_at_most(&[1_u8, 2, 3][..], usize::MAX).expect("no limit"), [1, 2, 3]);
        assert!(read_at_most(&[1_u8, 2, 3, 4][..], 3).is_err());
        assert!(read_at_most(io::repeat(0), 1 << 16).is_err());
    }

    #[test]
    fn a_file_larger_than_the_limit_is_refused_before_it_is_read() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("text");
        fs::write(&path, "text").expect("a file");
        assert_eq!(read_within(&path, 4).expect("four bytes"), b"text");
        assert_eq!(read_within(&path, 3).expect_err("more").to_string(), "it holds more than 3 bytes");
        File::create(&path).and_then(|file| file.set_len(LARGEST + 1)).expect("a file with a hole");
        assert!(read(&path).is_err() && read_text(&path).is_err());
        // The length of a file of the kernel's says nothing.
        #[cfg(target_os = "linux")]
        assert!(read_within(Path::new("/proc/cpuinfo"), 10).is_err());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("table.csv");
        write(&path, b"old").expect("a first write");
        let failed = write_with(&path, |temporary| {
            fs::write(temporary, b"ha")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.is_err());
        assert_eq!(read(&path).expect("the old file"), b"old");
        assert_eq!(fs::read_dir(directory.path()).expect("the directory").count(), 1);
        write(&path, b"new").expect("a second write");
        assert_eq!(read_text(&path).expect("the new file"), "new");
    }

    #[test]
    fn a_temporary_file_is_named_after_the_file_that_it_becomes() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The longest name that there can be.
        for name in ["README.md", &format!("{}.npz", "x".repeat(251))] {
            let path = directory.path().join(name);
            let written = write_with(&path, |temporary| {
                let own = temporary.file_name().unwrap_or_default().to_string_lossy().into_owned();
                assert!(own.starts_with(&partial(&path)) && own.starts_with(PARTIAL), "{own}");
                fs::write(temporary, name)
            });
            written.expect("a file");
            assert_eq!(read_text(&path).expect("the file"), name);
        }
    }
}
