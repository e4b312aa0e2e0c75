//! How a directory holds a data set: which files, and how to read them.

use super::{Dataset, ImageData, Images, Origin, Part, archive, binary, npz, parquet, python};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Images that a file may hold. The largest batch of ImageNet has 128,123; the limit keeps small files that claim or unpack to much
/// more from taking all memory.
const LARGEST_BATCH: usize = 150_000;

/// How a directory holds a data set.
pub(super) enum Layout {
    /// Four IDX files in this directory.
    Idx(PathBuf),
    /// Training and test files with pixels and labels.
    Whole(Whole),
}

/// Training and test files with pixels and labels.
pub(super) struct Whole {
    pub dataset: Dataset,
    pub format: Format,
    pub files: [Vec<PathBuf>; 2],
}

/// A format of files with pixels and labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The hub's.
    Parquet,
    /// Binary batches of CIFAR.
    Cifar,
    /// Batches for Python, of CIFAR and of downsampled ImageNet.
    Python,
    /// Binary files of STL-10.
    Stl,
    /// NumPy archives of downsampled ImageNet.
    Npz,
}

impl Whole {
    /// The hub's training and test file.
    pub fn parquet(dataset: Dataset, files: [PathBuf; 2]) -> Self {
        Self { dataset, format: Format::Parquet, files: files.map(|file| vec![file]) }
    }

    /// The files of a directory that hold the data set, if one of them is there: in the first format and place that has all of
    /// them, or else in the first that has one.
    pub fn find(dataset: Dataset, root: &Path) -> Option<Self> {
        let of_hub = dataset.hub().into_iter().flat_map(|hub| {
            // As converted and as uploaded, with or without the directory of the configuration.
            let elsewhere = ["{}/0000.parquet", "{}-00000-of-00001.parquet", "data/{}-00000-of-00001.parquet"];
            let elsewhere = elsewhere.map(|pattern| ["train", "test"].map(|split| pattern.replace("{}", split)));
            [hub.files.map(String::from), hub.uploaded()].into_iter().chain(elsewhere)
        });
        let of_hub = of_hub.map(|files| Self::parquet(dataset, files.map(|file| root.join(file))));
        let published = published(dataset);
        let packed = published.iter().flat_map(|set| set.places.iter().map(|place| set.at(root, *place)));
        let loose = published.iter().map(|set| set.at(root, ["", ""]));
        let placed = packed.chain(loose).map(|(format, files)| Self { dataset, format, files });
        let mut candidates: Vec<Self> = placed.chain(of_hub).collect();
        let place = candidates.iter().position(|set| set.files.iter().flatten().all(|file| set.has(file)));
        let begun = || candidates.iter().position(|set| set.files.iter().flatten().any(|file| set.has(file)));
        let mut found = candidates.swap_remove(place.or_else(begun)?);
        if dataset.pin(Part::TrainImages).sha256.is_none() {
            // What has no hash need not be whole; of a split that has no file the first one is told as missing.
            found.files.iter_mut().for_each(keep_present);
        }
        Some(found)
    }

    /// Whether a file of the set is there.
    fn has(&self, file: &Path) -> bool {
        // Many a directory is called train, that of the hub's parquet files for one.
        let is_other = self.format == Format::Python && file.is_dir();
        archive::exists(file) && !is_other
    }

    /// Reads the split that a part belongs to.
    ///
    /// # Errors
    /// With the file, when one is missing or damaged, or holds other images, or more than were published.
    pub fn read(&self, part: Part) -> Result<Images> {
        let (dataset, files) = (self.dataset, &self.files[usize::from(part.is_test())]);
        let most = dataset.pin(part).count;
        let batch = most.min(LARGEST_BATCH);
        let images = match self.format {
            Format::Parquet => parquet::read(dataset, &files[0], most),
            Format::Cifar => binary::read_cifar(dataset, files, batch),
            Format::Python => python::read(dataset, files, batch),
            Format::Stl => binary::read_stl(dataset, files, batch),
            Format::Npz => npz::read(dataset, files, batch),
        }?;
        let (count, path) = (images.len(), self.path(part));
        ensure!(count <= most, "{}: {count} images are more than the {most} that were published", path.display());
        Ok(images)
    }

    /// Reads training and test files, without comparing them with hashes. `tell` gets what there was to choose.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_both(&self, origin: Origin, tell: fn(&str)) -> Result<ImageData> {
        self.choice().iter().for_each(|choice| tell(choice));
        let (train, test) = (self.read(Part::TrainImages)?, self.read(Part::TestImages)?);
        Ok(ImageData { dataset: self.dataset, train, test, origin })
    }

    /// What is read where there was a choice and no hash would show a wrong one, in words.
    fn choice(&self) -> Option<String> {
        let (dataset, path) = (self.dataset, self.files[0].first()?);
        if dataset != Dataset::Cifar100 {
            return None;
        }
        let classes = match self.format {
            // What is wrong with the file is reported when it is read.
            Format::Parquet => format!("those of the column {}", parquet::label_column(path).ok()?),
            Format::Cifar => "the fine labels, the second byte of every row".into(),
            Format::Python => format!("the fine labels, the list {}", python::labels(dataset)),
            Format::Stl | Format::Npz => return None,
        };
        Some(format!("{dataset}: classes are {classes} of {}", path.display()))
    }

    /// The file of a part, or the directory if it is in several.
    pub fn path(&self, part: Part) -> PathBuf {
        let files = &self.files[usize::from(part.is_test())];
        match (self.format, &files[..]) {
            (_, [file]) => file.clone(),
            (Format::Stl, [pixels, labels]) => if part.is_images() { pixels } else { labels }.clone(),
            (_, files) => files.first().and_then(|file| file.parent()).map(Path::to_path_buf).unwrap_or_default(),
        }
    }
}

/// A data set as it was published in one format.
struct Published {
    format: Format,
    /// Names of the training and of the test files.
    files: [Vec<String>; 2],
    /// Where both lie within a directory, if not in it itself: in what their archives unpack to, or in the archives.
    places: &'static [[&'static str; 2]],
}

impl Published {
    /// The files in one of the places.
    fn at(&self, root: &Path, place: [&str; 2]) -> (Format, [Vec<PathBuf>; 2]) {
        let files = [0, 1].map(|split| {
            let folder = root.join(place[split]);
            self.files[split].iter().map(|name| folder.join(name)).collect()
        });
        (self.format, files)
    }
}

/// The formats in which a data set was published.
fn published(dataset: Dataset) -> Vec<Published> {
    let batches = |count: usize, name: fn(usize) -> String| (1..=count).map(name).collect::<Vec<_>>();
    let single = |names: [&str; 2]| names.map(|name| vec![name.to_string()]);
    match dataset {
        Dataset::Mnist | Dataset::FashionMnist => Vec::new(),
        Dataset::Cifar10 => vec![
            Published {
                format: Format::Cifar,
                files: [batches(5, |batch| format!("data_batch_{batch}.bin")), vec!["test_batch.bin".into()]],
                places: &[["cifar-10-batches-bin"; 2], ["cifar-10-binary.tar.gz"; 2]],
            },
            Published {
                format: Format::Python,
                files: [batches(5, |batch| format!("data_batch_{batch}")), vec!["test_batch".into()]],
                places: &[["cifar-10-batches-py"; 2], ["cifar-10-python.tar.gz"; 2]],
            },
        ],
        Dataset::Cifar100 => vec![
            Published {
                format: Format::Cifar,
                files: single(["train.bin", "test.bin"]),
                places: &[["cifar-100-binary"; 2], ["cifar-100-binary.tar.gz"; 2]],
            },
            Published {
                format: Format::Python,
                files: single(["train", "test"]),
                places: &[["cifar-100-python"; 2], ["cifar-100-python.tar.gz"; 2]],
            },
        ],
        Dataset::Stl10 => vec![Published {
            format: Format::Stl,
            files: ["train", "test"].map(|split| vec![format!("{split}_X.bin"), format!("{split}_y.bin")]),
            places: &[["stl10_binary"; 2], ["stl10_binary.tar.gz"; 2]],
        }],
        Dataset::Imagenet32 => vec![
            Published {
                format: Format::Npz,
                files: [batches(10, |batch| format!("train_data_batch_{batch}.npz")), vec!["val_data.npz".into()]],
                places: &[
                    ["Imagenet32_train_npz", "Imagenet32_val_npz"],
                    ["Imagenet32_train_npz.zip", "Imagenet32_val_npz.zip"],
                    ["Imagenet32_train_npz", "Imagenet32_val_npz.zip"],
                    ["Imagenet32_train_npz.zip", "Imagenet32_val_npz"],
                ],
            },
            Published {
                format: Format::Python,
                files: [batches(10, |batch| format!("train_data_batch_{batch}")), vec!["val_data".into()]],
                places: &[
                    ["Imagenet32_train", "Imagenet32_val"],
                    ["Imagenet32_train.zip", "Imagenet32_val.zip"],
                    ["Imagenet32_train", "Imagenet32_val.zip"],
                    ["Imagenet32_train.zip", "Imagenet32_val"],
                ],
            },
        ],
    }
}

fn keep_present(files: &mut Vec<PathBuf>) {
    if files.iter().any(|file| archive::exists(file)) {
        files.retain(|file| archive::exists(file));
    } else {
        files.truncate(1);
    }
}

/// Directories within the user's in which a data set may lie.
pub(super) fn roots(dataset: Dataset, directory: &Path) -> Vec<PathBuf> {
    let within: &[&str] = match dataset {
        // As torchvision puts them.
        Dataset::Mnist => &["MNIST/raw", "raw"],
        Dataset::FashionMnist => &["FashionMNIST/raw", "raw"],
        Dataset::Cifar10 | Dataset::Cifar100 | Dataset::Stl10 | Dataset::Imagenet32 => &[],
    };
    // The hub calls the directory of Fashion-MNIST fashion_mnist.
    let named = [directory.join(dataset.name()), directory.join(dataset.name().replace('-', "_")), directory.into()];
    let with_inner = |root: PathBuf| within.iter().map(|name| root.join(name)).chain([root.clone()]).collect();
    named.into_iter().flat_map::<Vec<PathBuf>, _>(with_inner).collect()
}

/// The files to put into a directory, in words.
pub(super) fn wanted(dataset: Dataset) -> String {
    let hub = "the hub's train/0000.parquet and test/0000.parquet";
    match dataset {
        Dataset::Mnist | Dataset::FashionMnist => {
            format!("{} (plain or .gz), or {hub},", Part::ALL.map(Part::file_name).join(", "))
        }
        Dataset::Cifar10 => {
            format!(
                "data_batch_1.bin to data_batch_5.bin and test_batch.bin, cifar-10-binary.tar.gz, cifar-10-python.tar.gz, or {hub},"
            )
        }
        Dataset::Cifar100 => {
            format!("train.bin and test.bin, cifar-100-binary.tar.gz, cifar-100-python.tar.gz, or {hub},")
        }
        Dataset::Stl10 => "train_X.bin, train_y.bin, test_X.bin and test_y.bin, or stl10_binary.tar.gz,".into(),
        Dataset::Imagenet32 => {
            "Imagenet32_train.zip and Imagenet32_val.zip, or Imagenet32_train_npz.zip and Imagenet32_val_npz.zip,"
                .into()
        }
    }
}
