//! How a learning rate is chosen, wherever one is: by what selection runs score on their validation points.

use super::rows::EpochRow;
use crate::engine::runs::{FinishedRun, Spec};
use anyhow::{Context, Result};

/// What a selection run came to at its last iterate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub learning_rate: f64,
    /// Accuracy on the validation points; 0 of what has none.
    pub accuracy: f64,
    /// Mean squared error on the validation points.
    pub loss: f64,
}

impl Candidate {
    /// None of a run that diverged: it has no last iterate, and its rate is never chosen.
    pub fn of<S: Spec>(run: &FinishedRun<S>) -> Result<Option<Self>> {
        if run.diverged() {
            return Ok(None);
        }
        let last = run.rows::<EpochRow>("epochs.csv")?.pop();
        let scores = last.and_then(|row| row.validation_metric.zip(row.validation_loss));
        let learning_rate = run.spec.details().learning_rate.context("a selection without a learning rate")?;
        Ok(scores.map(|(accuracy, loss)| Self { learning_rate, accuracy, loss }))
    }

    /// What was scored by a loss alone, whatever it is.
    pub fn of_loss(learning_rate: f64, loss: f64) -> Self {
        Self { learning_rate, accuracy: 0.0, loss }
    }

    /// The learning rate of the best: the highest accuracy; among equals the lowest loss, then the lowest rate.
    pub fn best(candidates: impl IntoIterator<Item = Self>) -> Option<f64> {
        // A loss that is no number is behind all others, whatever its sign.
        let loss = |candidate: &Self| if candidate.loss.is_nan() { f64::INFINITY } else { candidate.loss };
        let best = candidates.into_iter().max_by(|a, b| {
            let by_loss = || loss(b).total_cmp(&loss(a));
            let by_rate = || b.learning_rate.total_cmp(&a.learning_rate);
            a.accuracy.total_cmp(&b.accuracy).then_with(by_loss).then_with(by_rate)
        });
        best.map(|candidate| candidate.learning_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(candidates: &[(f64, f64, f64)]) -> Option<f64> {
        let candidate =
            |&(learning_rate, accuracy, loss): &(f64, f64, f64)| Candidate { learning_rate, accuracy, loss };
        Candidate::best(candidates.iter().map(candidate))
    }

    #[test]
    fn accuracy_counts_first_then_loss_then_the_lower_rate() {
        assert_eq!(best(&[(0.1, 0.8, 0.3), (0.2, 0.9, 0.5), (0.3, 0.7, 0.1)]), Some(0.2));
        assert_eq!(best(&[(0.1, 0.9, 0.3), (0.2, 0.9, 0.2), (0.3, 0.9, 0.25)]), Some(0.2));
        assert_eq!(best(&[(0.3, 0.9, 0.2), (0.1, 0.9, 0.2), (0.2, 0.9, 0.2)]), Some(0.1));
        assert_eq!(best(&[(0.1, 0.9, f64::NAN), (0.2, 0.9, -f64::NAN), (0.3, 0.9, 9.0)]), Some(0.3));
        assert_eq!(best(&[]), None);
        let by_loss = [(0.3, 0.2), (0.1, 0.1), (0.05, 0.1), (0.01, f64::NAN)];
        assert_eq!(Candidate::best(by_loss.map(|(rate, loss)| Candidate::of_loss(rate, loss))), Some(0.05));
    }
}
