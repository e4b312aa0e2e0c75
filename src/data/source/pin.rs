//! The SHA-256 that pins each part of a data set.

use super::sha256;
use anyhow::{Result, ensure};

/// What the bytes of a part must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Number of images or labels that were published.
    pub count: usize,
    /// SHA-256 of the pixels (row by row, channels last) or labels (a byte each, two with the lower one first beyond 256
    /// classes), decoded and without a header, in hexadecimal. None where nobody here has seen the original: then bytes
    /// count as [unpinned](Proof::Unpinned), and fewer are taken as well.
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

impl Pin {
    pub(super) const fn of(count: usize, sha256: &'static str) -> Self {
        Self { count, sha256: Some(sha256) }
    }

    pub(super) const fn count(count: usize) -> Self {
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

pub(super) const MNIST: [Pin; 4] = [
    Pin::of(60_000, "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    Pin::of(60_000, "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    Pin::of(10_000, "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    Pin::of(10_000, "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
];

pub(super) const FASHION_MNIST: [Pin; 4] = [
    Pin::of(60_000, "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"),
    Pin::of(60_000, "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"),
    Pin::of(10_000, "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"),
    Pin::of(10_000, "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"),
];

pub(super) const CIFAR10: [Pin; 4] = [
    Pin::of(50_000, "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"),
    Pin::of(50_000, "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253"),
    Pin::of(10_000, "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"),
    Pin::of(10_000, "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5"),
];

/// The sample of CIFAR-10 inside the program.
pub(super) const CIFAR10_SAMPLE: [Pin; 4] = [
    Pin::of(800, "a91b3315d4640bf8798849baa773848cb5ba3ac0a457f22e1d11921e544bdfeb"),
    Pin::of(800, "4f4cceb87486d4e9028e99b95c2f56d46eefdafe2aefc582fe8a5f4a18299e8c"),
    Pin::of(200, "ba7bf3b7a03415f1d8a41dcd432111d38cb2b04c32d27ddda10de4c7bc02320d"),
    Pin::of(200, "242a3d1b2f7adc5e64052fd3ba2c34e76076ca96c05bf63335104b3711eeab2f"),
];

/// The sample of MNIST inside the program.
pub(super) const MNIST_SAMPLE: [Pin; 4] = [
    Pin::of(4_000, "e63a890d7ebee4714b665906c248a31b2d2e713012be0ec2d3a6ef34ab5f2c49"),
    Pin::of(4_000, "d8787d1df603bae26792c11eee60cedd38e93289c47fb4f35e42db00cbef95ae"),
    Pin::of(1_000, "15c2c7b20f70e0db9520d8679cc35f2698db82dad94f63ebb1919f4f229b6b74"),
    Pin::of(1_000, "7dc9ef14e982a5d09ee504c5ab46556f7a0178202948cdbce78670397ce52cf9"),
];
