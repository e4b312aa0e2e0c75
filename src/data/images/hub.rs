//! The Hugging Face hub: its snapshot on this machine, read here, and the network, through candle-datasets.
//!
//! candle-datasets asks the network without a time limit, so it works in a thread that is left behind when it takes too
//! long. A server that does not answer is found out by a small question first. Both go through hf-hub, and thus by the
//! same `HF_ENDPOINT`, `HF_TOKEN` and proxies.

use super::archive::is_there;
use super::caught::caught;
use super::layout::Whole;
use super::{Dataset, ImageData, Network, Options, Origin, Part, directory, parquet};
use crate::data::source::HubFiles;
use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_core::{DType, Tensor};
use candle_datasets::vision;
use hf_hub::{HFClient, HFRepositorySync, RepoTypeDataset};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Where the hub converts data sets to parquet; candle-datasets reads this revision.
const REVISION: &str = "refs/convert/parquet";
/// Images that are converted together.
const CHUNK: usize = 1000;
/// For an answer to a small question.
const ANSWER: Duration = Duration::from_secs(5);
/// For 20 to 140 MB on a slow line, and their decoding.
const DOWNLOAD: Duration = Duration::from_secs(600);

/// Reads the hub's snapshot on this machine, or else asks the network if it may.
pub(super) fn read(dataset: Dataset, options: &Options) -> Result<Option<ImageData>> {
    let tell = options.tell;
    if let Some(Snapshot { hub, files }) = snapshot(dataset)? {
        let data = Whole::parquet(dataset, files).read_both(Origin::Hub, tell)?;
        return data.checked(|part| format!("{} of {hub}", part.name())).map(Some);
    }
    let Some(hub) = dataset.hub().filter(|_| options.network == Network::Allowed) else { return Ok(None) };
    within(ANSWER, move || answers(hub))?;
    within(DOWNLOAD, move || load(dataset, hub, tell)).map(Some)
}

/// A data set of the hub on this machine.
pub(super) struct Snapshot {
    /// Under the name by which it was asked for.
    hub: HubFiles,
    /// Training and test file.
    pub files: [PathBuf; 2],
}

/// The newest snapshot that has both files: as candle-datasets downloads them, or as other programs do, which ask for the
/// files as they were uploaded, and under the repository's other name. Not all note down which commit a revision was.
pub(super) fn snapshot(dataset: Dataset) -> Result<Option<Snapshot>> {
    let Some(hub) = dataset.hub() else { return Ok(None) };
    let cache = HFClient::builder().build()?.cache_dir().to_path_buf();
    for owner in [hub.owner, hub.other_owner] {
        let hub = HubFiles { owner, ..hub };
        let folder = format!("datasets--{}", hub.to_string().replace('/', "--"));
        for commit in newest_first(&cache.join(folder).join("snapshots")) {
            let copies = [hub.files.map(String::from), hub.uploaded()].map(|files| files.map(|file| commit.join(file)));
            if let Some(files) = copies.into_iter().find(|files| files.iter().all(|file| is_there(file))) {
                return Ok(Some(Snapshot { hub, files }));
            }
        }
    }
    Ok(None)
}

/// What is in a directory.
fn newest_first(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.map(|entry| (entry.metadata().and_then(|of| of.modified()).ok(), entry.path())).collect();
    entries.sort();
    entries.into_iter().rev().map(|(_, path)| path).collect()
}

fn repository(hub: HubFiles) -> Result<HFRepositorySync<RepoTypeDataset>> {
    // Whoever does not answer at once is asked again at the next start.
    let client = HFClient::builder().retry_max_attempts(1).build_sync()?;
    Ok(client.dataset(hub.owner, hub.name))
}

fn answers(hub: HubFiles) -> Result<()> {
    let file = hub.files[0];
    let answer = repository(hub)?.file_exists().filename(file).revision(REVISION).send();
    // The whole chain would tell the same address four times.
    let exists = answer.map_err(|error| anyhow!("{}", anyhow::Error::from(error).root_cause()))?;
    ensure!(exists, "{hub} has no {file} in {REVISION}");
    Ok(())
}

fn load(dataset: Dataset, hub: HubFiles, tell: fn(&str)) -> Result<ImageData> {
    let files = download(hub)?;
    // candle-datasets finds them in the hub's cache, and believes what they say of themselves.
    for (file, part) in files.iter().zip([Part::TrainImages, Part::TestImages]) {
        parquet::check(file, dataset.pin(part).count)?;
    }
    // candle-datasets panics at an image that cannot be decoded.
    let loaded = match dataset {
        Dataset::Mnist => caught(hub, || Ok(vision::mnist::load()?))?,
        Dataset::FashionMnist => caught(hub, || Ok(vision::fashion_mnist::load()?))?,
        Dataset::Cifar10 => caught(hub, || Ok(vision::cifar::load()?))?,
        // candle-datasets knows no others.
        Dataset::Cifar100 | Dataset::Stl10 | Dataset::Imagenet32 => {
            return directory::read_whole(&Whole::parquet(dataset, files), Origin::Hub, tell);
        }
    };
    ImageData::assemble(dataset, Origin::Hub, |part| {
        let bytes = match part {
            Part::TrainImages => to_bytes(&loaded.train_images),
            Part::TrainLabels => loaded.train_labels.to_vec1().map_err(Into::into),
            Part::TestImages => to_bytes(&loaded.test_images),
            Part::TestLabels => loaded.test_labels.to_vec1().map_err(Into::into),
        }?;
        dataset.pin(part).check(&bytes).with_context(|| format!("{} of {hub}", part.name()))?;
        Ok(bytes)
    })
}

/// Training and test file, in the hub's cache.
fn download(hub: HubFiles) -> Result<[PathBuf; 2]> {
    let repository = repository(hub)?;
    let fetch = |file| repository.download_file().filename(file).revision(REVISION).send();
    let [train, test] = hub.files.map(fetch);
    Ok([train?, test?])
}

/// candle-datasets divides pixels by 255; rounding undoes it exactly. Its colour images come as (images, channels, columns,
/// rows): lying on their side, and put upright here.
fn to_bytes(images: &Tensor) -> Result<Vec<u8>> {
    let upright = if images.rank() == 4 { images.permute((0, 3, 2, 1))? } else { images.clone() };
    let mut bytes = Vec::with_capacity(images.elem_count());
    // A few at a time: all of CIFAR-10 as floats has 600 MB.
    for start in (0..images.dim(0)?).step_by(CHUNK) {
        let chunk = upright.narrow(0, start, CHUNK.min(images.dim(0)? - start))?;
        let pixels = chunk.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        bytes.extend(pixels.into_iter().map(|pixel| (pixel * 255.0).round() as u8));
    }
    Ok(bytes)
}

/// Does the work in a thread of its own, and does not wait for it any longer than `limit`.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("hub".to_string()).spawn(move || sender.send(work()))?;
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => bail!("no answer within {} seconds", limit.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("its files are damaged; remove them from the hub's cache"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_pixel_value_survives_the_way_through_floats() {
        let bytes: Vec<u8> = (0..=255).collect();
        let tensor = Tensor::new(&bytes[..], &Device::Cpu).and_then(|bytes| bytes.to_dtype(DType::F32)? / 255.0);
        assert_eq!(to_bytes(&tensor.expect("a tensor")).expect("bytes"), bytes);
    }

    #[test]
    fn colour_images_come_upright() {
        // What candle-datasets does to an image of 2 rows, 3 columns and 3 channels.
        let bytes: Vec<u8> = (0..18).collect();
        let image = Tensor::from_vec(bytes.clone(), (1, 2, 3, 3), &Device::Cpu)
            .and_then(|image| image.to_dtype(DType::F32)?.permute((0, 3, 2, 1))? / 255.0);
        assert_eq!(to_bytes(&image.expect("a tensor")).expect("bytes"), bytes);
    }

    #[test]
    fn work_that_takes_too_long_or_panics_is_an_error() {
        let told = |result: Result<()>| format!("{:#}", result.expect_err("an error"));
        let nap = || {
            thread::sleep(Duration::from_secs(1));
            Ok(())
        };
        assert!(told(within(Duration::from_millis(20), nap)).contains("no answer"));
        assert!(told(within(DOWNLOAD, || panic!("an image"))).contains("damaged"));
        assert_eq!(within(DOWNLOAD, || Ok(7)).expect("an answer"), 7);
    }
}
