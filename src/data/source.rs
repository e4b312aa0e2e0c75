//! The image data sets: their names, sizes and classes, their four parts, and the SHA-256 that pins each part.

mod pin;

pub use crate::files::sha256;
pub use pin::{Pin, Proof};

use pin::{CIFAR10, CIFAR10_SAMPLE, FASHION_MNIST, MNIST, MNIST_SAMPLE};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Pixels along an edge of an image of MNIST or Fashion-MNIST.
pub const SIDE: usize = 28;

/// A data set of small images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// Handwritten digits, grey.
    Mnist,
    /// Photographs of clothes, grey.
    FashionMnist,
    /// Photographs in 10 classes (Krizhevsky 2009).
    Cifar10,
    /// Photographs in 100 classes, the fine labels (Krizhevsky 2009).
    Cifar100,
    /// Photographs of 96 x 96 pixels in 10 classes, the labelled ones (Coates, Ng and Lee 2011).
    Stl10,
    /// Photographs in 1,000 classes, made smaller (Chrabaszcz, Loshchilov and Hutter 2017); its validation images are the
    /// test images here.
    Imagenet32,
}

/// The extents of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Numbers in a pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl Shape {
    /// Grey images, as high as wide.
    pub const fn grey(side: usize) -> Self {
        Self { height: side, width: side, channels: 1 }
    }

    /// Colour images, as high as wide.
    pub const fn colour(side: usize) -> Self {
        Self { height: side, width: side, channels: 3 }
    }

    /// Numbers in an image.
    pub fn features(self) -> usize {
        self.height * self.width * self.channels
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.channels == 1 { "grey" } else { "colour" };
        write!(f, "{} x {} {kind}", self.height, self.width)
    }
}

/// One of the four files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Pixels to train on.
    TrainImages,
    /// Their classes.
    TrainLabels,
    /// Pixels to test on.
    TestImages,
    /// Their classes.
    TestLabels,
}

/// Where the Hugging Face hub keeps a data set as parquet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubFiles {
    /// Owner of the repository.
    pub owner: &'static str,
    /// Owner under the repository's other name, before or after it was moved.
    pub other_owner: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Training and test file within it, as the hub converts them.
    pub files: [&'static str; 2],
}

impl Dataset {
    /// Every data set.
    pub const ALL: [Self; 6] =
        [Self::Mnist, Self::FashionMnist, Self::Cifar10, Self::Cifar100, Self::Stl10, Self::Imagenet32];

    /// As it is called on the command line and in directories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Stl10 => "stl10",
            Self::Imagenet32 => "imagenet32",
        }
    }

    /// The extents of its images.
    pub fn shape(self) -> Shape {
        match self {
            Self::Mnist | Self::FashionMnist => Shape::grey(SIDE),
            Self::Cifar10 | Self::Cifar100 | Self::Imagenet32 => Shape::colour(32),
            Self::Stl10 => Shape::colour(96),
        }
    }

    /// Number of classes; labels are 0 to one less.
    pub fn classes(self) -> usize {
        match self {
            Self::Mnist | Self::FashionMnist | Self::Cifar10 | Self::Stl10 => 10,
            Self::Cifar100 => 100,
            Self::Imagenet32 => 1000,
        }
    }

    /// How its published files number the first class.
    pub fn first_label(self) -> i64 {
        match self {
            Self::Mnist | Self::FashionMnist | Self::Cifar10 | Self::Cifar100 => 0,
            Self::Stl10 | Self::Imagenet32 => 1,
        }
    }

    /// What its classes are, in the order of the labels; none where a list would be too long for a chart.
    pub fn class_names(self) -> Option<[&'static str; 10]> {
        match self {
            Self::Mnist => Some(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
            Self::FashionMnist => Some([
                "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
            ]),
            Self::Cifar10 => {
                Some(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"])
            }
            Self::Stl10 => Some(["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]),
            Self::Cifar100 | Self::Imagenet32 => None,
        }
    }

    /// What a part of it must be.
    pub fn pin(self, part: Part) -> Pin {
        match self {
            Self::Mnist => MNIST[part as usize],
            Self::FashionMnist => FASHION_MNIST[part as usize],
            Self::Cifar10 => CIFAR10[part as usize],
            Self::Cifar100 => Pin::count(if part.is_test() { 10_000 } else { 50_000 }),
            Self::Stl10 => Pin::count(if part.is_test() { 8_000 } else { 5_000 }),
            Self::Imagenet32 => Pin::count(if part.is_test() { 50_000 } else { 1_281_167 }),
        }
    }

    /// What a part must be in the sample inside the program, if there is one.
    pub fn sample_pin(self, part: Part) -> Option<Pin> {
        match self {
            Self::Mnist => Some(MNIST_SAMPLE[part as usize]),
            Self::Cifar10 => Some(CIFAR10_SAMPLE[part as usize]),
            Self::FashionMnist | Self::Cifar100 | Self::Stl10 | Self::Imagenet32 => None,
        }
    }

    /// The extents of the array of a part with `count` entries: (images, rows, columns), with channels last if there
    /// are several, or (labels), with two bytes for each beyond 256 classes.
    pub fn dimensions(self, part: Part, count: usize) -> Vec<usize> {
        let Shape { height, width, channels } = self.shape();
        match part {
            Part::TrainImages | Part::TestImages if channels == 1 => vec![count, height, width],
            Part::TrainImages | Part::TestImages => vec![count, height, width, channels],
            Part::TrainLabels | Part::TestLabels if self.label_bytes() == 1 => vec![count],
            Part::TrainLabels | Part::TestLabels => vec![count, self.label_bytes()],
        }
    }

    /// Bytes of a stored label.
    pub fn label_bytes(self) -> usize {
        if self.classes() <= 256 { 1 } else { 2 }
    }

    /// Where the hub keeps it; none if it is nowhere as parquet files of the images as they were published.
    pub fn hub(self) -> Option<HubFiles> {
        match self {
            Self::Mnist => Some(HubFiles {
                owner: "ylecun",
                other_owner: "",
                name: "mnist",
                files: ["mnist/train/0000.parquet", "mnist/test/0000.parquet"],
            }),
            Self::FashionMnist => Some(HubFiles {
                owner: "zalando-datasets",
                other_owner: "",
                name: "fashion_mnist",
                files: ["fashion_mnist/train/0000.parquet", "fashion_mnist/test/0000.parquet"],
            }),
            // Under its old name without an owner, since candle-datasets asks so.
            Self::Cifar10 => Some(HubFiles {
                owner: "",
                other_owner: "uoft-cs",
                name: "cifar10",
                files: ["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"],
            }),
            Self::Cifar100 => Some(HubFiles {
                owner: "uoft-cs",
                other_owner: "",
                name: "cifar100",
                files: ["cifar100/train/0000.parquet", "cifar100/test/0000.parquet"],
            }),
            Self::Stl10 | Self::Imagenet32 => None,
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HubFiles {
    /// Training and test file as they were uploaded, on the main branch.
    pub fn uploaded(&self) -> [String; 2] {
        let configuration = self.files[0].split('/').next().unwrap_or_default();
        ["train", "test"].map(|split| format!("{configuration}/{split}-00000-of-00001.parquet"))
    }
}

impl fmt::Display for HubFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.owner.is_empty() {
            write!(f, "{}/", self.owner)?;
        }
        f.write_str(self.name)
    }
}

impl Part {
    /// Every part, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train images",
            Self::TrainLabels => "train labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        }
    }

    /// The usual name of its IDX file, without `.gz`.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }

    /// Whether it is pixels rather than labels.
    pub fn is_images(self) -> bool {
        match self {
            Self::TrainImages | Self::TestImages => true,
            Self::TrainLabels | Self::TestLabels => false,
        }
    }

    /// Whether it belongs to the test images.
    pub fn is_test(self) -> bool {
        match self {
            Self::TrainImages | Self::TrainLabels => false,
            Self::TestImages | Self::TestLabels => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_flags_know_a_data_set_by_the_same_name() {
        for dataset in Dataset::ALL {
            assert_eq!(serde_json::to_value(dataset).expect("a name"), dataset.name());
            assert!(dataset.class_names().is_none_or(|names| names.len() == dataset.classes()));
        }
    }
}
