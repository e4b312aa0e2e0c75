//! What is known of each attacked image over all attacks.

use super::rows::{ATTACKS, ExampleRow};
use crate::evaluate::attack::{Classifier, Examples, Norm, Outcome, TOLERANCE};
use crate::evaluate::certificate::Certificates;
use anyhow::{Context, Result};
use candle_core::FloatDType;
use std::collections::BTreeMap;

/// Where whoever finds misclassified images, an attack or the bisection after all of them, stands in `per_example.csv`.
fn column(finder: &str) -> Result<usize> {
    ATTACKS.iter().position(|column| *column == finder).with_context(|| format!("{finder} has no column"))
}

/// All images of a run.
pub(super) struct Ledger<T> {
    norm: Norm,
    entries: Vec<Entry<T>>,
    places: BTreeMap<usize, usize>,
}

/// One image.
pub(super) struct Entry<T> {
    /// What is known so far; [`Ledger::rows`] fills the columns of attacks and certificates. Distances are infinite where nothing
    /// was found.
    pub row: ExampleRow,
    /// The columns of the attacks, in their order.
    found: [Option<f64>; ATTACKS.len()],
    /// The nearest misclassified image.
    pub image: Option<Vec<T>>,
}

impl<T: FloatDType> Ledger<T> {
    pub fn new(examples: &Examples<T>, norm: Norm) -> Self {
        let entry = |example: crate::evaluate::attack::Example<'_, T>| {
            let wrong = !example.is_correct();
            let distance = if wrong { 0.0 } else { f64::INFINITY };
            let row = ExampleRow {
                index: example.index,
                label: example.label,
                prediction: (0..example.logits.len())
                    .fold(0, |best, class| if example.logits[class] > example.logits[best] { class } else { best }),
                margin: example.margin(),
                norm: norm.name().into(),
                distance,
                attack: "none".into(),
                distance_l2: distance,
                ..ExampleRow::default()
            };
            Entry { row, found: [None; ATTACKS.len()], image: None }
        };
        let entries: Vec<Entry<T>> = examples.iter().map(entry).collect();
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.row.index, place)).collect();
        Self { norm, entries, places }
    }

    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Of the nearest misclassified image found so far; infinite for none.
    pub fn distance(&self, index: usize) -> f64 {
        self.places.get(&index).map_or(f64::INFINITY, |place| self.entries[*place].row.distance)
    }

    /// The distances found so far, by the images' places in the test set.
    pub fn known(&self) -> BTreeMap<usize, f64> {
        self.entries.iter().map(|entry| (entry.row.index, entry.row.distance)).collect()
    }

    /// Takes in what an attack found.
    pub fn absorb(&mut self, finder: &str, outcomes: &[Outcome<T>]) -> Result<()> {
        let column = column(finder)?;
        for outcome in outcomes {
            let Some(entry) = self.places.get(&outcome.index).map(|place| &mut self.entries[*place]) else { continue };
            let distance = outcome.distance(self.norm);
            let before = entry.found[column].unwrap_or(f64::INFINITY);
            entry.found[column] = Some(before.min(distance));
            let Some(found) = &outcome.adversarial else { continue };
            if distance < entry.row.distance {
                entry.row.distance = distance;
                entry.row.attack = finder.into();
                entry.row.adversarial_class = Some(found.predicted);
                entry.image = Some(found.image.clone());
            }
            entry.row.distance_l2 = entry.row.distance_l2.min(found.distance.l2);
        }
        Ok(())
    }

    /// Images that are still right at every point of the ball that an attack visited.
    pub fn robust(&self, eps: f64) -> usize {
        // The rule of Threat::allows: a distance within the tolerance is inside the ball.
        self.entries.iter().filter(|entry| entry.row.distance > eps + TOLERANCE).count()
    }

    /// The same for one attack alone.
    pub fn robust_against(&self, finder: &str, eps: f64) -> Result<usize> {
        let column = column(finder)?;
        let left = |entry: &&Entry<T>| entry.found[column].is_none_or(|distance| distance > eps + TOLERANCE);
        Ok(self.entries.iter().filter(left).count())
    }

    pub fn rows(&self, certificates: Option<&Certificates>) -> Vec<ExampleRow> {
        let row = |(place, entry): (usize, &Entry<T>)| {
            let radii = certificates.map(|certificates| certificates.images[place].radii);
            let [fgsm, pgd, mt_pgd, deepfool, ddn, fmn, apgd_ce, apgd_dlr, apgd_t, fab_t, square, auto, bisection] =
                entry.found;
            ExampleRow {
                fgsm,
                pgd,
                mt_pgd,
                deepfool,
                ddn,
                fmn,
                apgd_ce,
                apgd_dlr,
                apgd_t,
                fab_t,
                square,
                auto,
                bisection,
                certified_pair: radii.map(|radii| radii.pair),
                certified_global: radii.map(|radii| radii.global),
                certified_measured: radii.map(|radii| radii.measured),
                certified_rounded: radii.map(|radii| radii.rounded),
                ..entry.row.clone()
            }
        };
        self.entries.iter().enumerate().map(row).collect()
    }
}

/// The logits' softmax at an image, in the class given.
pub(super) fn confidence<T: FloatDType>(classifier: &Classifier<'_, T>, image: &[T], class: usize) -> Result<f64> {
    let logits = classifier.logits(image)?;
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
    Ok((logits[class] - largest).exp() / sum)
}
