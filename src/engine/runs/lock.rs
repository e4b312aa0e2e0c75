//! Locks: one process makes a run, and one writes tables, charts and pages. They are the operating system's locks on open
//! files, gone when the process is.

use crate::console::note;
use crate::files;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// A lock that this process holds.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// The place of a run's lock.
pub(super) fn place(root: &Path, run: &Path) -> PathBuf {
    let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arm = files::parent(run);
    let arm_name = arm.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let key = &files::sha256(format!("{arm_name}/{name}").as_bytes())[..16];
    root.join(files::parent(arm)).join(".locks").join(key)
}

fn open(path: &Path) -> Result<File> {
    let parent = files::parent(path);
    fs::create_dir_all(parent).with_context(|| format!("--out: cannot make {}", parent.display()))?;
    // Whatever lies there is neither cut nor followed.
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => bail!("--out: {} is not a regular file; remove it", path.display()),
        _ => {}
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.with_context(|| format!("--out: cannot write {}", path.display()))
}

/// Takes a lock, or None while another process holds it.
pub(super) fn try_take(path: &Path) -> Result<Option<RunLock>> {
    let file = open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        held => {
            if let Err(TryLockError::Error(error)) = held {
                without(path, &error);
            }
            // Only for whoever wants to know, so nothing depends on it.
            let _ = file.set_len(0).and_then(|()| (&file).write_all(here().as_bytes()));
            Ok(Some(RunLock(file)))
        }
    }
}

/// Does what only the holder of a lock may do; nothing while another process holds it.
///
/// # Errors
/// As `work`, and when the lock's file cannot be opened.
pub(super) fn if_free(path: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    // Bound to a name the lock lasts until `work` is done. `is_some()` in a condition would drop it before.
    if let Some(_lock) = try_take(path)? {
        work()?;
    }
    Ok(())
}

/// Some network file systems have no locks: that stops no work, but the user has to take care.
fn without(path: &Path, error: &io::Error) {
    static TOLD: Once = Once::new();
    let place = files::parent(path).display();
    TOLD.call_once(|| {
        note(&format!(
            "warning: file locks do not work in {place} ({error}); do not let two commands make the same runs there"
        ));
    });
}

/// This process, in words.
fn here() -> String {
    let machine = files::read_text(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    match machine.trim() {
        "" => format!("process {}", std::process::id()),
        machine => format!("process {} on {machine}", std::process::id()),
    }
}

/// Who holds a lock, if anybody does.
pub(super) fn holder(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(files::read_text(path).unwrap_or_default()),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Takes a lock as soon as nobody else holds it.
pub(super) fn take(path: &Path) -> Result<RunLock> {
    let file = open(path)?;
    if let Err(error) = file.lock() {
        without(path, &error);
    }
    Ok(RunLock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_its_work_is_done() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("lock");
        let mut done = false;
        if_free(&path, || {
            assert!(try_take(&path)?.is_none(), "another process could take it");
            done = true;
            if_free(&path, || bail!("it was done although the lock is held"))
        })?;
        assert!(done && try_take(&path)?.is_some());
        Ok(())
    }
}
