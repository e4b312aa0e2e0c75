//! The parameters of the moment that scored best, kept while training goes on.

use super::Report;
use crate::model::Model;
use candle_core::{Result, Tensor};

/// Where the error was least so far.
#[derive(Debug, Clone, Default)]
pub struct Best {
    /// Whether of equal errors the last one is taken rather than the first.
    pub latest: bool,
    /// None as long as no error was a finite number.
    pub kept: Option<Kept>,
}

/// A moment of a training.
#[derive(Debug, Clone)]
pub struct Kept {
    /// On the points that choose the moment; never those that are tested on.
    pub error: f64,
    /// When it was.
    pub step: usize,
    /// The same in epochs.
    pub epoch: f64,
    /// As in a weights file.
    pub parameters: Vec<(String, Tensor)>,
}

impl Best {
    /// Keeps a copy of the parameters if the error is less than ever before; one that is not finite never is.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn offer(&mut self, error: f64, &Report { step, epoch, .. }: &Report, model: &Model) -> Result<()> {
        let is_better = |kept: &Kept| error < kept.error || (self.latest && error == kept.error);
        if error.is_finite() && self.kept.as_ref().is_none_or(is_better) {
            self.kept = Some(Kept { error, step, epoch, parameters: model.parameters.to_stored()? });
        }
        Ok(())
    }

    /// Gives the model the parameters that were kept; None if there are none.
    ///
    /// # Errors
    /// When it is another model.
    pub fn restore(self, model: &Model) -> Result<Option<Kept>> {
        let Some(kept) = self.kept else { return Ok(None) };
        model.parameters.restore(&kept.parameters.iter().cloned().collect())?;
        Ok(Some(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FcNetConfig, ModelConfig};
    use crate::rng::Seed;
    use candle_core::Device;

    #[test]
    fn the_first_or_the_last_of_the_least_errors_is_kept() -> Result<()> {
        let model = |seed| ModelConfig::Fcnet(FcNetConfig::new(3, 2)).build(2, 1, Seed(seed), &Device::Cpu);
        let sum = |model: &Model| model.parameters.to_stored()?[0].1.sum_all()?.to_scalar::<f32>();
        for (latest, expected) in [(false, 3), (true, 4)] {
            let mut best = Best { latest, kept: None };
            for (step, error) in [(1, f64::NAN), (2, 0.5), (3, 0.4), (4, 0.4), (5, f64::INFINITY), (6, 0.6)] {
                let report =
                    Report { step, epoch: step as f64, learning_rate: 0.1, train_loss: 1.0, train_accuracy: None };
                best.offer(error, &report, &model(step as u64)?)?;
            }
            let trained = model(6)?;
            let kept = best.restore(&trained)?.expect("a finite error");
            assert_eq!((kept.error, kept.step, sum(&trained)?), (0.4, expected, sum(&model(expected as u64)?)?));
        }
        assert!(Best::default().restore(&model(1)?)?.is_none());
        Ok(())
    }
}
