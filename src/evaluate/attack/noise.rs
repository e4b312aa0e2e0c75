//! Random noise in the ball: what breaks without an adversary. Not an attack; the baseline that every attack has to
//! beat.

use super::classifier::{Classifier, Want};
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::outcome::Outcome;
use super::pgd::check;
use super::random::{Source, direction, inside, rescale, shift};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::{Norm, Threat};
use crate::rng::{Seed, Stream};
use candle_core::{FloatDType, Result};

/// The distribution of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform in the ball.
    Uniform,
    /// Random signs, all of the same size: corners of the cube, or points of the sphere.
    Sign,
    /// Normal, scaled to the size of the ball.
    Gaussian,
}

/// All distributions.
pub const DISTRIBUTIONS: [Distribution; 3] = [Distribution::Uniform, Distribution::Sign, Distribution::Gaussian];

/// Settings of random noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The ball.
    pub threat: Threat,
    /// The distribution, before the box cuts it.
    pub distribution: Distribution,
    /// Draws for each image, at least 1.
    pub draws: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl Noise {
    /// 100 draws.
    pub fn new(threat: Threat, distribution: Distribution) -> Self {
        Self { threat, distribution, draws: 100, stop: Stop::AtSuccess }
    }

    /// Adds noise to every example that is classified right.
    ///
    /// # Errors
    /// When a setting is out of range or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        check(self.threat, ("draws", self.draws), &[])?;
        let attack = match self.distribution {
            Distribution::Uniform => "noise-uniform",
            Distribution::Sign => "noise-sign",
            Distribution::Gaussian => "noise-gaussian",
        };
        run(classifier, examples, Goal::within(self.threat, self.stop), |example| {
            let source = Source { seed, attack, example: example.index };
            Draws { example, settings: *self, stream: source.run(0), drawn: 0 }
        })
    }
}

struct Draws<'e, T> {
    example: Example<'e, T>,
    settings: Noise,
    stream: Stream,
    drawn: usize,
}

impl<T: FloatDType> Search<T> for Draws<'_, T> {
    const WANT: Want = Want::Logits;

    fn begin(&mut self, point: &mut [T]) {
        let (threat, image) = (self.settings.threat, self.example.image);
        match self.settings.distribution {
            Distribution::Uniform => return inside(threat, &mut self.stream, image, point),
            Distribution::Sign => direction(Norm::Linf, &mut self.stream, point),
            Distribution::Gaussian => direction(Norm::L2, &mut self.stream, point),
        }
        rescale(threat, point);
        shift(image, point);
    }

    fn observe(&mut self, _visit: &Visit<'_, T>, _wanted: &mut Vec<f64>) -> Next {
        self.drawn += 1;
        if self.drawn < self.settings.draws { Next::Restart } else { Next::End }
    }

    /// Never: every draw is a run.
    fn advance(&mut self, _gradients: Gradients<'_, T>, _point: &mut [T]) {}
}
