//! Draws the sample of CIFAR-10 that is compiled into the program again, from the whole data set:
//!
//! ```sh
//! cargo run --release --example cifar_sample
//! ```
//!
//! It writes `src/data/sample/cifar10-*.png`. The choice of images is fixed by its seed. Prints the hashes that
//! `src/data/source/pin.rs` pins.

use anyhow::{Result, ensure};
use han_exp::data::images::{Dataset, Options, load, sample};
use han_exp::data::source::sha256;
use std::path::Path;

fn main() -> Result<()> {
    let options = Options { tell: |line| eprintln!("{line}"), ..Options::default() };
    let data = load(Dataset::Cifar10, &options)?;
    ensure!(!data.is_sample(), "a sample of the sample would be smaller; run `han-exp data fetch` first");
    let drawn = sample::draw(&data)?;
    sample::write(&drawn, &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/sample"))?;
    for images in [&drawn.train, &drawn.test] {
        let labels: Vec<u8> = images.labels.iter().map(|label| *label as u8).collect();
        println!("{}\n{}", sha256(&images.pixels), sha256(&labels));
    }
    Ok(())
}
