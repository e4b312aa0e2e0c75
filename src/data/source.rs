//! The image data sets: their names, their four parts, and the SHA-256 that pins each part.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Pixels along an edge of an image.
pub const SIDE: usize = 28;

/// A data set of 28 x 28 grey images in ten classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// Handwritten digits.
    Mnist,
    /// Photographs of clothes.
    FashionMnist,
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
    /// Number of images or labels.
    pub count: usize,
    /// SHA-256 of the pixels or labels, decoded and without a header, in hexadecimal.
    pub sha256: &'static str,
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
    Pin { count: 60_000, sha256: "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757" },
    Pin { count: 60_000, sha256: "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13" },
    Pin { count: 10_000, sha256: "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161" },
    Pin { count: 10_000, sha256: "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5" },
];

const FASHION_MNIST: [Pin; 4] = [
    Pin { count: 60_000, sha256: "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012" },
    Pin { count: 60_000, sha256: "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7" },
    Pin { count: 10_000, sha256: "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a" },
    Pin { count: 10_000, sha256: "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9" },
];

/// The sample of MNIST inside the program.
const MNIST_SAMPLE: [Pin; 4] = [
    Pin { count: 4_000, sha256: "e63a890d7ebee4714b665906c248a31b2d2e713012be0ec2d3a6ef34ab5f2c49" },
    Pin { count: 4_000, sha256: "d8787d1df603bae26792c11eee60cedd38e93289c47fb4f35e42db00cbef95ae" },
    Pin { count: 1_000, sha256: "15c2c7b20f70e0db9520d8679cc35f2698db82dad94f63ebb1919f4f229b6b74" },
    Pin { count: 1_000, sha256: "7dc9ef14e982a5d09ee504c5ab46556f7a0178202948cdbce78670397ce52cf9" },
];

impl Dataset {
    /// Every data set.
    pub const ALL: [Self; 2] = [Self::Mnist, Self::FashionMnist];

    /// As it is called on the command line and in directories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// What a part of it must be.
    pub fn pin(self, part: Part) -> Pin {
        match self {
            Self::Mnist => MNIST[part as usize],
            Self::FashionMnist => FASHION_MNIST[part as usize],
        }
    }

    /// Where the hub keeps it.
    pub fn hub(self) -> HubFiles {
        match self {
            Self::Mnist => HubFiles {
                owner: "ylecun",
                name: "mnist",
                files: ["mnist/train/0000.parquet", "mnist/test/0000.parquet"],
            },
            Self::FashionMnist => HubFiles {
                owner: "zalando-datasets",
                name: "fashion_mnist",
                files: ["fashion_mnist/train/0000.parquet", "fashion_mnist/test/0000.parquet"],
            },
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
        write!(f, "{}/{}", self.owner, self.name)
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

    /// Whether it belongs to the test images.
    pub fn is_test(self) -> bool {
        match self {
            Self::TrainImages | Self::TrainLabels => false,
            Self::TestImages | Self::TestLabels => true,
        }
    }

    /// What it must be in the sample of MNIST inside the program.
    pub fn sample_pin(self) -> Pin {
        MNIST_SAMPLE[self as usize]
    }

    /// The extents of its array when it has `count` entries: (images, rows, columns) or (labels).
    pub fn dimensions(self, count: usize) -> Vec<usize> {
        match self {
            Self::TrainImages | Self::TestImages => vec![count, SIDE, SIDE],
            Self::TrainLabels | Self::TestLabels => vec![count],
        }
    }
}

impl Pin {
    /// Holds decoded bytes against the pin.
    ///
    /// # Errors
    /// With the expected and the found SHA-256, when they differ.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        let found = sha256(bytes);
        let expected = self.sha256;
        ensure!(found == expected, "decoded, it has SHA-256 {found}, expected {expected}; use the original file");
        Ok(())
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
