//! How a directory holds a data set: which files, and how to read them.

use super::{Dataset, ImageData, Images, Origin, Part, archive, binary, npz, parquet};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

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

    /// The files of a directory that hold the data set, if one of them is there.
    pub fn find(dataset: Dataset, root: &Path) -> Option<Self> {
        let published = match dataset {
            Dataset::Mnist | Dataset::FashionMnist => None,
            Dataset::Cifar10 => {
                let batches = (1..=5).map(|batch| format!("data_batch_{batch}.bin")).collect();
                Some((Format::Cifar, [batches, vec!["test_batch.bin".into()]]))
            }
            Dataset::Cifar100 => Some((Format::Cifar, [vec!["train.bin".into()], vec!["test.bin".into()]])),
            Dataset::Stl10 => Some((
                Format::Stl,
                ["train", "test"].map(|split| vec![format!("{split}_X.bin"), format!("{split}_y.bin")]),
            )),
            Dataset::Imagenet32 => {
                let batches = (1..=10).map(|batch| format!("train_data_batch_{batch}.npz")).collect();
                Some((Format::Npz, [batches, vec!["val_data.npz".into()]]))
            }
        };
        let of_hub = dataset.hub().into_iter().flat_map(|hub| {
            // As converted and as uploaded, with or without the directory of the configuration.
            let elsewhere = ["{}/0000.parquet", "{}-00000-of-00001.parquet", "data/{}-00000-of-00001.parquet"];
            let elsewhere = elsewhere.map(|pattern| ["train", "test"].map(|split| pattern.replace("{}", split)));
            [hub.files.map(String::from), hub.uploaded()].into_iter().chain(elsewhere)
        });
        let of_hub = of_hub.map(|files| (Format::Parquet, files.map(|file| vec![file])));
        published.into_iter().chain(of_hub).find_map(|(format, names)| {
            let mut files = names.map(|names| names.iter().map(|name| root.join(name)).collect::<Vec<_>>());
            let present = files.iter().flatten().any(|file| archive::exists(file));
            if dataset.pin(Part::TrainImages).sha256.is_none() {
                // What has no hash need not be whole; of a split that has no file the first one is told as missing.
                files.iter_mut().for_each(keep_present);
            }
            present.then_some(Self { dataset, format, files })
        })
    }

    /// Reads the split that a part belongs to.
    ///
    /// # Errors
    /// With the file, when one is missing or damaged, or holds other images, or more than were published.
    pub fn read(&self, part: Part) -> Result<Images> {
        let (dataset, files) = (self.dataset, &self.files[usize::from(part.is_test())]);
        let most = dataset.pin(part).count;
        let images = match self.format {
            Format::Parquet => parquet::read(dataset, &files[0], most),
            Format::Cifar => binary::read_cifar(dataset, files, most),
            Format::Stl => binary::read_stl(dataset, files, most),
            Format::Npz => npz::read(dataset, files, most),
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
        if self.format != Format::Parquet || dataset.pin(Part::TrainLabels).sha256.is_some() {
            return None;
        }
        // What is wrong with the file is reported when it is read.
        let column = parquet::label_column(path).ok()?;
        Some(format!("{dataset}: classes are those of the column {column} of {}", path.display()))
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

fn keep_present(files: &mut Vec<PathBuf>) {
    if files.iter().any(|file| archive::exists(file)) {
        files.retain(|file| archive::exists(file));
    } else {
        files.truncate(1);
    }
}

/// Directories within the user's in which a data set may lie: those of its name, and those of its published archive, or
/// that archive itself.
pub(super) fn roots(dataset: Dataset, directory: &Path) -> Vec<PathBuf> {
    let published: &[&str] = match dataset {
        // As torchvision puts them.
        Dataset::Mnist => &["MNIST/raw", "raw"],
        Dataset::FashionMnist => &["FashionMNIST/raw", "raw"],
        Dataset::Imagenet32 => &[],
        Dataset::Cifar10 => &["cifar-10-batches-bin", "cifar-10-binary.tar.gz"],
        Dataset::Cifar100 => &["cifar-100-binary", "cifar-100-binary.tar.gz"],
        Dataset::Stl10 => &["stl10_binary", "stl10_binary.tar.gz"],
    };
    // The hub calls the directory of Fashion-MNIST fashion_mnist.
    let named = [directory.join(dataset.name()), directory.join(dataset.name().replace('-', "_")), directory.into()];
    let with_published = |root: PathBuf| published.iter().map(|name| root.join(name)).chain([root.clone()]).collect();
    named.into_iter().flat_map::<Vec<PathBuf>, _>(with_published).collect()
}

/// The files to put into a directory, in words.
pub(super) fn wanted(dataset: Dataset) -> String {
    let hub = "the hub's train/0000.parquet and test/0000.parquet";
    match dataset {
        Dataset::Mnist | Dataset::FashionMnist => {
            format!("{} (plain or .gz), or {hub},", Part::ALL.map(Part::file_name).join(", "))
        }
        Dataset::Cifar10 => {
            format!("data_batch_1.bin to data_batch_5.bin and test_batch.bin, cifar-10-binary.tar.gz, or {hub},")
        }
        Dataset::Cifar100 => format!("train.bin and test.bin, cifar-100-binary.tar.gz, or {hub},"),
        Dataset::Stl10 => "train_X.bin, train_y.bin, test_X.bin and test_y.bin, or stl10_binary.tar.gz,".into(),
        Dataset::Imagenet32 => {
            "train_data_batch_1.npz to train_data_batch_10.npz and val_data.npz (the archives, not the pickles)".into()
        }
    }
}
