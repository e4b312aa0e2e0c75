//! Which rows are for training, validation and testing.

use crate::rng::Seed;
use anyhow::{Result, ensure};

/// Rows of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// The rest, about 80 %.
    pub train: usize,
    /// 8 % of all rows, to the nearest whole number (halves go up), at least one.
    pub validation: usize,
    /// 12 % of all rows, likewise.
    pub test: usize,
}

impl Sizes {
    /// The parts of so many rows. With fewer than three rows there is nothing to train on.
    pub fn of(rows: usize) -> Self {
        // In whole numbers: 12 % of 1,000 is 120, whatever the rounding of 0.12.
        let percent = |part: usize| ((rows as u128 * part as u128 + 50) / 100).max(1) as usize;
        let (test, validation) = (percent(12), percent(8));
        Self { train: rows.saturating_sub(test + validation), validation, test }
    }
}

/// The rows of each part, ascending, without overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Trained on.
    pub train: Vec<usize>,
    /// Everything is chosen by these.
    pub validation: Vec<usize>,
    /// Touched once, when everything is chosen.
    pub test: Vec<usize>,
}

impl Split {
    /// A random split of so many rows.
    ///
    /// # Errors
    /// When there are too few for three parts.
    pub fn seeded(rows: usize, seed: Seed) -> Result<Self> {
        let sizes = Sizes::of(rows);
        ensure!(sizes.train > 0, "{rows} rows are too few for training, validation and testing; use 3 or more");
        let mut train = seed.stream("split").permutation(rows);
        let mut test = train.split_off(sizes.train);
        let mut validation = test.split_off(sizes.test);
        for part in [&mut train, &mut validation, &mut test] {
            part.sort_unstable();
        }
        Ok(Self { train, validation, test })
    }
}
