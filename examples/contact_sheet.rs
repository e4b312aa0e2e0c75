//! Draws augmented images of CIFAR-10, or of its sample, as a PNG file:
//!
//! ```sh
//! cargo run --release --example contact_sheet -- augmented.png
//! ```

use anyhow::{Context, Result};
use candle_core::Device;
use han_exp::data::augment::{Augment, Augmented};
use han_exp::data::images::{Dataset, Options, load};
use han_exp::figure::{SheetRow, contact_sheet};
use han_exp::rng::Seed;
use std::path::Path;

/// Training images of CIFAR-10, one of each of eight classes.
const PLACES: [usize; 8] = [0, 1, 3, 4, 6, 7, 8, 9];
/// Epochs.
const DRAWS: usize = 6;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("needs the name of a PNG file")?;
    let data = load(Dataset::Cifar10, &Options { tell: |line| eprintln!("{line}"), ..Options::default() })?;
    let names = data.dataset.class_names().context("classes have names")?;
    let augmented = |augment| Augmented {
        augment,
        seed: Seed(1),
        ..Augmented::plain(&data.train, (0..data.train.len()).collect(), &Device::Cpu)
    };
    let draws = |augment, place, draws: usize| -> Result<Vec<Vec<u8>>> {
        let set = augmented(augment);
        Ok((0..draws).map(|epoch| set.pixels(epoch, place)).collect::<candle_core::Result<_>>()?)
    };
    let mut rows = Vec::new();
    for place in PLACES {
        rows.push(SheetRow {
            heading: names[usize::from(data.train.labels[place])].into(),
            groups: vec![
                draws(Augment::None, place, 1)?,
                draws(Augment::Basic, place, DRAWS)?,
                draws(Augment::Autoaugment, place, DRAWS)?,
            ],
        });
    }
    let title = format!("Training images of {} in six epochs", data.name());
    let sheet = contact_sheet(&title, data.train.shape.width, &["none", "basic", "autoaugment"], &rows)?;
    sheet.save(Path::new(&path))
}
