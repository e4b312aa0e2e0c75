//! APGD: projected gradient ascent with momentum that halves its step when it stops to make progress.
//!
//! ```text
//! z       = P(x_k + eta s_k)                                   s = sign(g) or g / |g|
//! x_{k+1} = P(x_k + a (z - x_k) + (1 - a) (x_k - x_{k-1}))     a = 0.75, in the first step 1
//! ```
//!
//! Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
//! 2020, Algorithm 1. eta starts at 2 eps. At a checkpoint it is halved, and the search jumps back to its best point,
//! if the loss rose in at most 75 % of the steps since the last checkpoint, or if eta was not halved there and the
//! best loss has not grown since.
//!
//! As in the authors' code: every run starts at random; the best point keeps its gradient; after a jump the momentum leads
//! from the point before the last step to the best one. Unlike it, the first step is compared with the loss at the start
//! rather than with 0, and a run ends with its first success.

use super::ball::{climb, project};
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Goal, Stop};
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::pgd::{check, check_classes};
use super::random::{Source, at_rim};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::Threat;
use crate::nn::kernels::dispatch::vectorized;
use crate::rng::Seed;
use candle_core::{FloatDType, Result, bail};

/// Weight of the new step against the momentum.
const ALPHA: f64 = 0.75;
/// Part of the steps in which the loss has to rise.
const RHO: f64 = 0.75;

/// Which way APGD goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Away from the label.
    Away,
    /// To that many wrong classes, one after the other, the likeliest first.
    Targets(usize),
}

/// Settings of APGD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Apgd {
    /// The ball.
    pub threat: Threat,
    /// What is ascended.
    pub objective: Objective,
    /// Where to.
    pub direction: Direction,
    /// Steps of a run, at least 1.
    pub steps: usize,
    /// Runs for each direction, at least 1.
    pub restarts: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl Apgd {
    /// APGD-CE of the standard cascade: 100 steps of cross-entropy, once.
    pub fn cross_entropy(threat: Threat) -> Self {
        let (objective, direction) = (Objective::CrossEntropy, Direction::Away);
        Self { threat, objective, direction, steps: 100, restarts: 1, stop: Stop::AtSuccess }
    }

    /// APGD-DLR: as APGD-CE on the difference of logits ratio. Needs three classes.
    pub fn dlr(threat: Threat) -> Self {
        Self { objective: Objective::Dlr, ..Self::cross_entropy(threat) }
    }

    /// APGD-T of the standard cascade: the targeted ratio for nine classes. Needs four classes.
    pub fn targeted(threat: Threat) -> Self {
        Self { objective: Objective::Dlr, direction: Direction::Targets(9), ..Self::cross_entropy(threat) }
    }

    /// Attacks every example that is classified right.
    ///
    /// # Errors
    /// When a setting is out of range, the loss needs more classes, or the network fails.
    pub fn run<T: FloatDType>(
        &self,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        let (attack, target) = match (self.direction, self.objective) {
            (Direction::Away, Objective::CrossEntropy) => ("apgd-ce", None),
            (Direction::Away, Objective::Margin) => ("apgd-margin", None),
            (Direction::Away, Objective::Dlr) => ("apgd-dlr", None),
            (Direction::Targets(_), _) => ("apgd-t", Some(0)),
        };
        check(self.threat, ("steps", self.steps), &[("runs", self.restarts)])?;
        if self.direction == Direction::Targets(0) {
            bail!("an attack of 0 target classes does nothing; use at least 1");
        }
        check_classes(Loss { objective: self.objective, target }, classifier)?;
        run(classifier, examples, Goal::within(self.threat, self.stop), |example| {
            let losses: Vec<Loss> = match self.direction {
                Direction::Away => vec![Loss::away(self.objective)],
                Direction::Targets(count) => {
                    let targets = example.targets().into_iter().take(count);
                    targets.map(|target| Loss::toward(self.objective, target)).collect()
                }
            };
            let runs = losses.into_iter().flat_map(|loss| std::iter::repeat_n(loss, self.restarts)).collect();
            let source = Source { seed, attack, example: example.index };
            Climb::new(example, self.threat, runs, source, self.steps)
        })
    }
}

/// After which of `steps` steps the step size is judged: 22, 41, 57, 70, 80, 87, 93, 99 of 100. The windows are 22 % of
/// the steps, then each 3 % shorter, down to 6 %.
pub fn checkpoints(steps: usize) -> Vec<usize> {
    let part = |share: f64| ((share * steps as f64) as usize).max(1);
    let (mut window, shorter, shortest) = (part(0.22), part(0.03), part(0.06));
    let mut places = vec![window];
    // A place that saturates is at or beyond the last step, which ends the loop.
    while let Some(place) = places.last().copied().filter(|place| *place < steps)
        && place.saturating_add(shortest) <= steps
    {
        window = window.saturating_sub(shorter).max(shortest);
        places.push(place.saturating_add(window));
    }
    places.retain(|place| *place <= steps);
    places
}

/// Runs of APGD, one after the other.
struct Climb<'e, T> {
    example: Example<'e, T>,
    threat: Threat,
    runs: Vec<Loss>,
    source: Source,
    steps: usize,
    checkpoints: Vec<usize>,
    /// Which run.
    current: usize,
    /// Steps made in it.
    made: usize,
    eta: f64,
    /// Loss at the point observed last, and before it.
    loss: f64,
    previous_loss: f64,
    best_loss: f64,
    best: Vec<T>,
    best_gradient: Vec<T>,
    /// The point before the last step.
    old: Vec<T>,
    /// z
    ahead: Vec<T>,
    /// Steps since the last checkpoint in which the loss rose.
    rises: usize,
    /// Place of the next checkpoint, and of the last.
    next_check: usize,
    last_check: usize,
    best_at_check: f64,
    halved_at_check: bool,
}

impl<'e, T: FloatDType> Climb<'e, T> {
    fn new(example: Example<'e, T>, threat: Threat, runs: Vec<Loss>, source: Source, steps: usize) -> Self {
        let blank = vec![T::zero(); example.image.len()];
        Self {
            example,
            threat,
            runs,
            source,
            steps,
            checkpoints: checkpoints(steps),
            current: 0,
            made: 0,
            eta: 0.0,
            loss: 0.0,
            previous_loss: 0.0,
            best_loss: 0.0,
            best: blank.clone(),
            best_gradient: blank.clone(),
            old: blank.clone(),
            ahead: blank,
            rises: 0,
            next_check: 0,
            last_check: 0,
            best_at_check: 0.0,
            halved_at_check: true,
        }
    }

    /// Judges the step size; true when the search has to jump back.
    fn judge(&mut self) -> bool {
        let window = self.made - self.last_check;
        let oscillates = self.rises as f64 <= RHO * window as f64;
        let stands = !self.halved_at_check && self.best_at_check >= self.best_loss;
        let halve = oscillates || stands;
        (self.halved_at_check, self.best_at_check) = (halve, self.best_loss);
        (self.last_check, self.rises) = (self.made, 0);
        self.next_check += 1;
        if halve {
            self.eta /= 2.0;
        }
        halve
    }

    /// The step from `point` with the momentum of the last one; see the equations of this module.
    fn step(&mut self, point: &mut [T], gradient: &[T]) {
        let alpha = T::from_f64(if self.made == 0 { 1.0 } else { ALPHA });
        self.ahead.copy_from_slice(point);
        climb(self.threat, self.example.image, &mut self.ahead, gradient, self.eta);
        blend(alpha, point, &self.ahead, &mut self.old);
        project(self.threat, self.example.image, point);
        self.made += 1;
    }
}

vectorized! {
    /// The step to z = `ahead` and the momentum of the step from `old`, which becomes the point before this step.
    fn blend<T: FloatDType>(alpha: T, point: &mut [T], ahead: &[T], old: &mut [T]) {
        for ((x, z), old) in point.iter_mut().zip(ahead).zip(old) {
            let here = *x;
            *x = here + alpha * (*z - here) + (T::one() - alpha) * (here - *old);
            *old = here;
        }
    }
}

impl<T: FloatDType> Search<T> for Climb<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        at_rim(self.threat, &mut self.source.run(self.current), self.example.image, point);
        self.old.copy_from_slice(point);
        self.eta = 2.0 * self.threat.eps;
        (self.made, self.rises, self.next_check, self.last_check) = (0, 0, 0, 0);
        self.halved_at_check = true;
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        let loss = self.runs[self.current];
        self.loss = loss.value(visit.logits, self.example.label);
        if self.made == self.steps {
            self.current += 1;
            return if self.current < self.runs.len() { Next::Restart } else { Next::End };
        }
        loss.gradient(visit.logits, self.example.label, wanted);
        Next::Step
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        let gradient = gradients.get(0);
        if self.made == 0 {
            (self.best_loss, self.best_at_check) = (self.loss, self.loss);
        }
        self.rises += usize::from(self.made > 0 && self.loss > self.previous_loss);
        if self.made == 0 || self.loss > self.best_loss {
            self.best_loss = self.loss;
            self.best.copy_from_slice(point);
            self.best_gradient.copy_from_slice(gradient);
        }
        self.previous_loss = self.loss;
        if self.checkpoints.get(self.next_check) == Some(&self.made) && self.judge() {
            point.copy_from_slice(&self.best);
            let gradient = std::mem::take(&mut self.best_gradient);
            self.step(point, &gradient);
            self.best_gradient = gradient;
        } else {
            self.step(point, gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::checkpoints;

    #[test]
    fn checkpoints_are_those_of_the_paper() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(1), [1]);
        assert!(checkpoints(2).iter().all(|place| *place <= 2));
        let most = checkpoints(usize::MAX);
        assert!((8..20).contains(&most.len()) && most.is_sorted(), "{most:?}");
    }
}
