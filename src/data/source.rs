//! The image data sets: their names, sizes and classes, their four parts, and the SHA-256 that pins each part.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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

/// What the bytes of a part must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Number of images or labels that were published.
    pub count: usize,
    /// SHA-256 of the pixels (row by row, channels last) or labels (a byte each, two with the lower one first beyond 256
    /// classes), decoded and without a header, in hexadecimal. None where nobody here has seen the original: then bytes
    /// count as [unpinned](Proof::Unpinned), and any number of them is taken.
    pub sha256: Option<&'static str>,
}

/// What is known about the bytes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// They are the original ones.
    Verified,
    /// There is no hash to hold them against.
    Unpinned,
}

/// Where the Hugging Face hub keeps a data set as parquet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubFiles {
    /// Owner of the repository.
    pub owner: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Training and test file within it.
    pub files: [&'static str; 2],
}

const MNIST: [Pin; 4] = [
    Pin::of(60_000, "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    Pin::of(60_000, "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    Pin::of(10_000, "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    Pin::of(10_000, "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
];

const FASHION_MNIST: [Pin; 4] = [
    Pin::of(60_000, "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"),
    Pin::of(60_000, "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"),
    Pin::of(10_000, "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"),
    Pin::of(10_000, "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"),
];

const CIFAR10: [Pin; 4] = [
    Pin::of(50_000, "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"),
    Pin::of(50_000, "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253"),
    Pin::of(10_000, "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"),
    Pin::of(10_000, "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5"),
];

/// The sample of CIFAR-10 inside the program.
const CIFAR10_SAMPLE: [Pin; 4] = [
    Pin::of(800, "a91b3315d4640bf8798849baa773848cb5ba3ac0a457f22e1d11921e544bdfeb"),
    Pin::of(800, "4f4cceb87486d4e9028e99b95c2f56d46eefdafe2aefc582fe8a5f4a18299e8c"),
    Pin::of(200, "ba7bf3b7a03415f1d8a41dcd432111d38cb2b04c32d27ddda10de4c7bc02320d"),
    Pin::of(200, "242a3d1b2f7adc5e64052fd3ba2c34e76076ca96c05bf63335104b3711eeab2f"),
];

/// The sample of MNIST inside the program.
const MNIST_SAMPLE: [Pin; 4] = [
    Pin::of(4_000, "e63a890d7ebee4714b665906c248a31b2d2e713012be0ec2d3a6ef34ab5f2c49"),
    Pin::of(4_000, "d8787d1df603bae26792c11eee60cedd38e93289c47fb4f35e42db00cbef95ae"),
    Pin::of(1_000, "15c2c7b20f70e0db9520d8679cc35f2698db82dad94f63ebb1919f4f229b6b74"),
    Pin::of(1_000, "7dc9ef14e982a5d09ee504c5ab46556f7a0178202948cdbce78670397ce52cf9"),
];

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

    /// What its classes are, in the order of the labels; none where a list would be too long for a chart.
    pub fn class_names(self) -> Option<[&'static str; 10]> {
        match self {
            Self::Mnist => Some(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
            Self::FashionMnist => Some([
                "T-shirt",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
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
                name: "mnist",
                files: ["mnist/train/0000.parquet", "mnist/test/0000.parquet"],
            }),
            Self::FashionMnist => Some(HubFiles {
                owner: "zalando-datasets",
                name: "fashion_mnist",
                files: ["fashion_mnist/train/0000.parquet", "fashion_mnist/test/0000.parquet"],
            }),
            // Under its old name without an owner, since candle-datasets asks so.
            Self::Cifar10 => Some(HubFiles {
                owner: "",
                name: "cifar10",
                files: ["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"],
            }),
            Self::Cifar100 => Some(HubFiles {
                owner: "uoft-cs",
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

impl Pin {
    const fn of(count: usize, sha256: &'static str) -> Self {
        Self { count, sha256: Some(sha256) }
    }

    const fn count(count: usize) -> Self {
        Self { count, sha256: None }
    }

    /// What is known about bytes that passed [`check`](Self::check).
    pub fn proof(&self) -> Proof {
        if self.sha256.is_some() { Proof::Verified } else { Proof::Unpinned }
    }

    /// Holds decoded bytes against the pin.
    ///
    /// # Errors
    /// With the expected and the found SHA-256, when they differ.
    pub fn check(&self, bytes: &[u8]) -> Result<Proof> {
        let Some(expected) = self.sha256 else { return Ok(self.proof()) };
        let found = sha256(bytes);
        ensure!(found == expected, "decoded, it has SHA-256 {found}, expected {expected}; use the original file");
        Ok(self.proof())
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
