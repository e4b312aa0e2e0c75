//! Runs of a robustness experiment: trainings, and attacks on what they trained.

mod attack;
mod checklist;
mod export;
mod ledger;
mod train;

pub use attack::Attacker;
pub use export::Export;
pub use train::Trainer;

use crate::data::images::{ImageData, Images};
use crate::data::source::sha256;

/// Classes of the data sets.
pub const CLASSES: usize = 10;

/// SHA-256 of the bytes of a data set: the hashes of pixels and labels, hashed.
pub fn data_hash(data: &ImageData) -> String {
    let of = |images: &Images| sha256(&images.pixels) + &sha256(&images.labels);
    sha256((of(&data.train) + &of(&data.test)).as_bytes())
}
