//! What an attack ascends: functions of the logits z, their values and dl/dz, all in f64.
//!
//! The network's backward pass starts from dl/dz of any of them, so no loss is ever a node of the graph. In f32 the
//! softmax of a confident network is exactly 0 and 1, and its gradient exactly 0; here it is not, down to
//! probabilities of 1e-308.
//!
//! Every loss grows as the attack succeeds. y is the label, t the target, j the largest class besides y:
//!
//! | objective | away from y | towards t |
//! | --- | --- | --- |
//! | cross-entropy | log sum exp z - z_y | z_t - log sum exp z |
//! | margin | z_j - z_y | z_t - z_y |
//! | DLR | (z_j - z_y) / (z_p1 - z_p3) | (z_t - z_y) / (z_p1 - (z_p3 + z_p4) / 2) |
//!
//! with p the classes in descending order of their logits (Croce and Hein, "Reliable evaluation of adversarial
//! robustness", 2020, equations 6 and 7). The order is held fixed in the gradient.

use serde::{Deserialize, Serialize};

/// Added to the denominator of DLR, as in AutoAttack.
const GUARD: f64 = 1e-12;

/// The kind of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Negative log-likelihood.
    #[cfg_attr(feature = "program", value(name = "ce"))]
    CrossEntropy,
    /// Difference of two logits.
    Margin,
    /// Difference of logits ratio: does not change when the logits are scaled or shifted.
    Dlr,
}

/// A function to ascend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Its kind.
    pub objective: Objective,
    /// The class to reach; None to leave the label for any other.
    pub target: Option<usize>,
}

impl Loss {
    /// A loss that leaves the label.
    pub fn away(objective: Objective) -> Self {
        Self { objective, target: None }
    }

    /// A loss that approaches a class.
    pub fn toward(objective: Objective, target: usize) -> Self {
        Self { objective, target: Some(target) }
    }

    /// Fewest classes for which the loss is defined.
    pub fn fewest_classes(self) -> usize {
        match (self.objective, self.target) {
            (Objective::CrossEntropy | Objective::Margin, _) => 2,
            (Objective::Dlr, None) => 3,
            (Objective::Dlr, Some(_)) => 4,
        }
    }

    /// The value at some logits.
    ///
    /// # Panics
    /// When label or target are no class, or there are fewer than [`Loss::fewest_classes`].
    pub fn value(self, logits: &[f64], label: usize) -> f64 {
        match (self.objective, self.target) {
            (Objective::CrossEntropy, None) => surprise(logits, label),
            (Objective::CrossEntropy, Some(target)) => -surprise(logits, target),
            (Objective::Margin, target) => rise(logits, label, target),
            (Objective::Dlr, target) => rise(logits, label, target) / spread(logits, target).0,
        }
    }

    /// Appends dl/dz to `gradient`.
    ///
    /// # Panics
    /// As [`Loss::value`].
    pub fn gradient(self, logits: &[f64], label: usize, gradient: &mut Vec<f64>) {
        let start = gradient.len();
        gradient.resize(start + logits.len(), 0.0);
        let c = &mut gradient[start..];
        match (self.objective, self.target) {
            (Objective::CrossEntropy, None) => softmax_less_one(logits, label, c),
            (Objective::CrossEntropy, Some(target)) => {
                softmax_less_one(logits, target, c);
                c.iter_mut().for_each(|c| *c = -*c);
            }
            (Objective::Margin, target) => {
                c[target.unwrap_or_else(|| runner_up(logits, label))] += 1.0;
                c[label] -= 1.0;
            }
            (Objective::Dlr, target) => {
                let (spread, slopes) = spread(logits, target);
                let rise = rise(logits, label, target);
                c[target.unwrap_or_else(|| runner_up(logits, label))] += 1.0 / spread;
                c[label] -= 1.0 / spread;
                // The quotient rule: - rise dspread / spread^2.
                slopes.into_iter().for_each(|(class, slope)| c[class] -= rise * slope / (spread * spread));
            }
        }
    }
}

/// z_y less the largest other logit. The classification is broken at 0 and below, and if this is not a finite number.
///
/// # Panics
/// When `label` is no class.
pub fn margin(logits: &[f64], label: usize) -> f64 {
    // No comparison selects a NaN, so all logits are looked at.
    if logits.iter().any(|z| !z.is_finite()) { f64::NAN } else { -rise(logits, label, None) }
}

/// The class of the largest logit besides `label`, the first of equals.
pub fn runner_up(logits: &[f64], label: usize) -> usize {
    let others = (0..logits.len()).filter(|class| *class != label);
    others.reduce(|best, class| if logits[class] > logits[best] { class } else { best }).unwrap_or(label)
}

/// All classes in descending order of their logits, the first of equals first.
pub fn descending(logits: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
}

/// z_t - z_y, with the runner-up for no target.
fn rise(logits: &[f64], label: usize, target: Option<usize>) -> f64 {
    logits[target.unwrap_or_else(|| runner_up(logits, label))] - logits[label]
}

/// The denominator of DLR, and its derivative with respect to the logits that are in it.
fn spread(logits: &[f64], target: Option<usize>) -> (f64, Vec<(usize, f64)>) {
    let order = descending(logits);
    let slopes = match target {
        None => vec![(order[0], 1.0), (order[2], -1.0)],
        Some(_) => vec![(order[0], 1.0), (order[2], -0.5), (order[3], -0.5)],
    };
    (slopes.iter().map(|(class, slope)| slope * logits[*class]).sum::<f64>() + GUARD, slopes)
}

/// log sum exp z - z_class, without cancellation where the class is certain.
fn surprise(logits: &[f64], class: usize) -> f64 {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if logits[class] == highest {
        let others = logits.iter().enumerate().filter(|(other, _)| *other != class);
        return others.map(|(_, z)| (z - highest).exp()).sum::<f64>().ln_1p();
    }
    highest - logits[class] + logits.iter().map(|z| (z - highest).exp()).sum::<f64>().ln()
}

/// softmax(z) - e_class, where p_class - 1 is made of the other probabilities: it would round to 0 long before they do.
fn softmax_less_one(logits: &[f64], class: usize, c: &mut [f64]) {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    c.iter_mut().zip(logits).for_each(|(c, z)| *c = (z - highest).exp());
    let total: f64 = c.iter().sum();
    c.iter_mut().for_each(|c| *c /= total);
    c[class] = 0.0;
    c[class] = -c.iter().sum::<f64>();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn all_losses() -> Vec<Loss> {
        let objectives = [Objective::CrossEntropy, Objective::Margin, Objective::Dlr];
        let away = objectives.into_iter().map(Loss::away);
        away.chain(objectives.into_iter().map(|objective| Loss::toward(objective, 2))).collect()
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let mut stream = Seed(11).stream("loss");
        for _ in 0..50 {
            let logits: Vec<f64> = (0..6).map(|_| 3.0 * stream.normal()).collect();
            for loss in all_losses() {
                for label in [0, 4, 5] {
                    let mut gradient = Vec::new();
                    loss.gradient(&logits, label, &mut gradient);
                    for (class, slope) in gradient.iter().enumerate() {
                        let at = |shift: f64| {
                            let mut moved = logits.clone();
                            moved[class] += shift;
                            loss.value(&moved, label)
                        };
                        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                        let close = (difference - slope).abs() <= 1e-6 * (1.0 + difference.abs());
                        assert!(close, "{loss:?}: {difference} is not {slope}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_certain_class_keeps_its_gradient() {
        let logits = [200.0, 0.0, -1.0];
        let mut gradient = Vec::new();
        Loss::away(Objective::CrossEntropy).gradient(&logits, 0, &mut gradient);
        assert!(gradient[0] < 0.0 && gradient[1] > 0.0, "{gradient:?}");
        assert!(Loss::away(Objective::CrossEntropy).value(&logits, 0) > 0.0);
    }

    #[test]
    fn ratio_losses_ignore_scale_and_shift() {
        let logits = [1.0, 3.0, -2.0, 0.5];
        let moved = logits.map(|z| 1e4 * z + 7.0);
        for loss in [Loss::away(Objective::Dlr), Loss::toward(Objective::Dlr, 3)] {
            assert!((loss.value(&logits, 1) - loss.value(&moved, 1)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_margin_of_broken_logits_is_no_number() {
        assert_eq!(margin(&[2.0, 1.0, 0.0], 0), 1.0);
        assert_eq!(margin(&[1.0, 1.0], 0), 0.0);
        assert!(margin(&[2.0, f64::NAN, 0.0], 0).is_nan());
        assert!(margin(&[f64::INFINITY, 0.0], 0).is_nan());
    }
}
