//! The chart of adversarial images: a few test images, chosen by a seed, and what attacks made of them.

use super::file::ArmFile;
use super::rows::ExampleRow;
use super::spec::AttackSpec;
use super::summary::{ArmMeasurements, Measurements};
use crate::engine::runs::FinishedRun;
use crate::evaluate::attack::Norm;
use crate::figure::{Answer, Attempt, GridRow, Image, adversarial_grid, significant};
use anyhow::{Context, Result, ensure};
use candle_core::DType;

/// Pixels of an image: an L2 radius covers a ball in Linf that is smaller by the square root of this.
pub(super) const PIXELS: f64 = 784.0;
/// A network of a chart, and what was measured of it.
pub(super) type Shown<'m> = (&'m ArmFile, &'m ArmMeasurements);

pub(super) fn draw(
    measured: &Measurements<'_>,
    arms: &[Shown<'_>],
    attacks: &[FinishedRun<AttackSpec>],
) -> Result<Image> {
    let threat = measured.experiment.file.threat.first().context("there is no threat")?;
    let (norm, eps) = (threat.norm, threat.eps.last().copied().unwrap_or_default());
    let mut rows: Vec<GridRow> = Vec::new();
    let seed = first_seed(arms, norm).context("no seed has runs of all networks")?;
    for (arm, found) in arms {
        let Some(examples) = found.examples.get(&(seed, norm.name())) else { continue };
        let of = |run: &&FinishedRun<AttackSpec>| {
            run.spec.arm == arm.name && run.spec.seed.0 == seed && run.spec.norm == norm
        };
        let kept = Kept::read(attacks.iter().find(of).context("an attack run is missing")?)?;
        let own = (0..kept.numbers.len()).map(|place| kept.row(place, examples)).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            rows = own;
        } else {
            let same = rows.iter().map(|row| &row.heading).eq(own.iter().map(|row| &row.heading));
            ensure!(same, "the networks' runs have kept different images");
        }
        for (place, row) in rows.iter_mut().enumerate() {
            row.attempts.push(kept.attempt(place, arm, examples, eps)?);
        }
    }
    ensure!(!rows.is_empty(), "no network is attacked yet");
    // In L2 a pixel may change by all that the ball allows, and up to 1.
    let scale = eps.min(1.0);
    let searched = format!("{} up to {}", label(norm), significant(eps));
    let what = format!("test images drawn at random, attacked in {searched}, seed {seed}");
    adversarial_grid(&title(measured, &what), scale, &searched, &rows)
}

pub(super) fn title(measured: &Measurements<'_>, what: &str) -> String {
    format!("{}, {}: {what}", measured.experiment.file.experiment.title(), measured.data)
}

/// A norm on charts.
pub(super) fn label(norm: Norm) -> &'static str {
    match norm {
        Norm::Linf => "Linf",
        Norm::L2 => "L2",
    }
}

/// The first seed of which all main networks have rows in a norm.
pub(super) fn first_seed(arms: &[Shown<'_>], norm: Norm) -> Option<u64> {
    let (_, first) = arms.first()?;
    let mut seeds = first.examples.keys().filter(|(_, of)| *of == norm.name()).map(|(seed, _)| *seed);
    seeds.find(|seed| arms.iter().all(|(_, arm)| arm.examples.contains_key(&(*seed, norm.name()))))
}

/// The images that a run has kept for the chart.
struct Kept {
    /// Place in the test set, confidence in the answer before and after.
    numbers: Vec<Vec<f64>>,
    clean: Vec<Vec<f32>>,
    nearest: Vec<Vec<f32>>,
}

impl Kept {
    fn read(run: &FinishedRun<AttackSpec>) -> Result<Self> {
        let tensors = run.tensors("images.safetensors")?;
        let directory = run.directory.display();
        let tensor =
            |name: &str| tensors.get(name).with_context(|| format!("{directory}: images.safetensors lacks {name}"));
        // Attacks in f64 keep images in f64.
        let pixels = |name: &str| -> Result<Vec<Vec<f32>>> { Ok(tensor(name)?.to_dtype(DType::F32)?.to_vec2()?) };
        let kept =
            Self { numbers: tensor("numbers")?.to_vec2()?, clean: pixels("clean")?, nearest: pixels("nearest")? };
        let Self { numbers, clean, nearest } = &kept;
        let whole = numbers.iter().all(|numbers| numbers.len() == 3)
            && [clean, nearest].iter().all(|images| images.len() == numbers.len());
        ensure!(whole, "{directory}: images.safetensors has not three numbers and two images for every image");
        Ok(kept)
    }

    fn example<'e>(&self, place: usize, examples: &'e [ExampleRow]) -> Result<&'e ExampleRow> {
        let index = self.numbers[place][0] as usize;
        examples.iter().find(|row| row.index == index).with_context(|| format!("image {index} has no row"))
    }

    fn row(&self, place: usize, examples: &[ExampleRow]) -> Result<GridRow> {
        let example = self.example(place, examples)?;
        Ok(GridRow {
            heading: format!("image {}", example.index),
            class: example.label.to_string(),
            side: PIXELS.sqrt() as usize,
            pixels: self.clean[place].clone(),
            attempts: Vec::new(),
        })
    }

    fn attempt(&self, place: usize, arm: &ArmFile, examples: &[ExampleRow], eps: f64) -> Result<Attempt> {
        let example = self.example(place, examples)?;
        let broken = !example.resists(eps) && example.resists(0.0);
        let found = example.adversarial_class.filter(|_| broken).map(|class| {
            let answer = Answer { class: class.to_string(), confidence: self.numbers[place][2] };
            (self.nearest[place].clone(), answer)
        });
        let before = Answer { class: example.prediction.to_string(), confidence: self.numbers[place][1] };
        Ok(Attempt { arm: arm.name.clone(), label: arm.label.clone(), before, found })
    }
}
