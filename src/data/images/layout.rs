//! How a directory holds a data set: which files, and how to read them.

use super::{Dataset, ImageData, Images, Origin, Part, archive, binary, npz, parquet, python};
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
    /// Its batches for Python.
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

    /// The files of a directory that hold the data set, if one of them is there.
    pub fn find(dataset: Dataset, root: &Path) -> Option<Self> {
        let of_hub = dataset.hub().into_iter().flat_map(|hub| {
            // As converted and as uploaded, with or without the directory of the configuration.
            let elsewhere = ["{}/0000.parquet", "{}-00000-of-00001.parquet", "data/{}-00000-of-00001.parquet"];
            let elsewhere = elsewhere.map(|pattern| ["train", "test"].map(|split| pattern.replace("{}", split)));
            [hub.files.map(String::from), hub.uploaded()].into_iter().chain(elsewhere)
        });
        let of_hub = of_hub.map(|files| (Format::Parquet, files.map(|file| vec![file])));
        // What an archive holds is known when it is read. Before, its name says it.
        let packed = archive::is_archive(root).then(|| root.to_string_lossy().ends_with("-python.tar.gz"));
        let candidates = published(dataset).into_iter().chain(of_hub);
        let fits = |format: Format| packed.is_none_or(|python| python == (format == Format::Python));
        candidates.filter(|(format, _)| fits(*format)).find_map(|(format, names)| {
            let mut files = names.map(|names| names.iter().map(|name| root.join(name)).collect::<Vec<_>>());
            // Many a directory is called train, that of the hub's parquet files for one.
            let is_other = |file: &Path| format == Format::Python && file.is_dir();
            let present = files.iter().flatten().any(|file| archive::exists(file) && !is_other(file));
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
            Format::Python => python::read(dataset, files, most),
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
        if dataset.pin(Part::TrainLabels).sha256.is_some() {
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

/// Names of the published files of a data set, training and test, in each format.
fn published(dataset: Dataset) -> Vec<(Format, [Vec<String>; 2])> {
    let batches = |count: usize, name: fn(usize) -> String| (1..=count).map(name).collect::<Vec<_>>();
    let single = |names: [&str; 2]| names.map(|name| vec![name.to_string()]);
    match dataset {
        Dataset::Mnist | Dataset::FashionMnist => Vec::new(),
        Dataset::Cifar10 => vec![
            (Format::Cifar, [batches(5, |batch| format!("data_batch_{batch}.bin")), vec!["test_batch.bin".into()]]),
            (Format::Python, [batches(5, |batch| format!("data_batch_{batch}")), vec!["test_batch".into()]]),
        ],
        Dataset::Cifar100 => {
            vec![(Format::Cifar, single(["train.bin", "test.bin"])), (Format::Python, single(["train", "test"]))]
        }
        Dataset::Stl10 => {
            let pair = |split| vec![format!("{split}_X.bin"), format!("{split}_y.bin")];
            vec![(Format::Stl, ["train", "test"].map(pair))]
        }
        Dataset::Imagenet32 => {
            let train = batches(10, |batch| format!("train_data_batch_{batch}.npz"));
            vec![(Format::Npz, [train, vec!["val_data.npz".into()]])]
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
        Dataset::Cifar10 => {
            &["cifar-10-batches-bin", "cifar-10-binary.tar.gz", "cifar-10-batches-py", "cifar-10-python.tar.gz"]
        }
        Dataset::Cifar100 => {
            &["cifar-100-binary", "cifar-100-binary.tar.gz", "cifar-100-python", "cifar-100-python.tar.gz"]
        }
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
            format!(
                "data_batch_1.bin to data_batch_5.bin and test_batch.bin, cifar-10-binary.tar.gz, cifar-10-python.tar.gz, or {hub},"
            )
        }
        Dataset::Cifar100 => {
            format!("train.bin and test.bin, cifar-100-binary.tar.gz, cifar-100-python.tar.gz, or {hub},")
        }
        Dataset::Stl10 => "train_X.bin, train_y.bin, test_X.bin and test_y.bin, or stl10_binary.tar.gz,".into(),
        Dataset::Imagenet32 => {
            "train_data_batch_1.npz to train_data_batch_10.npz and val_data.npz (the archives, not the pickles)".into()
        }
    }
}
