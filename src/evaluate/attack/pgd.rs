//! Projected gradient descent (here: ascent of a loss) in the ball, from the image or from random points.
//!
//! ```text
//! x <- P(x + a sign(g))  for Linf        x <- P(x + a g / |g|)  for L2        g = dl/dx
//! ```
//!
//! Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018, Section 2.1; P moves into the
//! ball, then into the box. Every point counts, not the last one alone. Where the gradient is exactly 0 the step goes
//! in a random direction.

use super::ball::{climb, is_zero};
use super::classifier::Classifier;
use super::examples::{Example, Examples};
use super::goal::{Aim, Goal, Keep, Stop, Target};
use super::loss::{Loss, Objective};
use super::outcome::Outcome;
use super::random::{Source, direction, inside};
use super::record::Visit;
use super::search::{Gradients, Next, Search, run};
use super::threat::Threat;
use crate::rng::{Seed, Stream};
use candle_core::{FloatDType, Result, bail};
use serde::{Deserialize, Serialize};

/// How long a step is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRule {
    /// That long, in units of the pixels.
    Length(f64),
    /// So long that all steps together are this many times eps. Below 2 a start in a corner cannot cross the ball;
    /// Madry et al. take 2.5.
    Path(f64),
}

impl StepRule {
    fn length(self, eps: f64, steps: usize) -> f64 {
        match self {
            Self::Length(length) => length,
            Self::Path(path) => path * eps / steps as f64,
        }
    }
}

impl StepRule {
    pub(super) fn check(self) -> Result<()> {
        let (Self::Length(size) | Self::Path(size)) = self;
        if !(size.is_finite() && size >= 0.0) {
            bail!("a step of {size} leads nowhere; use a number from 0");
        }
        Ok(())
    }
}

impl Default for StepRule {
    fn default() -> Self {
        Self::Path(2.5)
    }
}

/// Where the first run starts. Further ones always start at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the image itself.
    #[default]
    Image,
    /// At a random point of the ball.
    Random,
}

/// Settings of projected gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pgd {
    /// The ball.
    pub threat: Threat,
    /// What is ascended.
    pub objective: Objective,
    /// Where to.
    pub aim: Aim,
    /// Steps of a run, at least 1. A run visits one point more.
    pub steps: usize,
    /// Their length.
    pub step: StepRule,
    /// Where the first run starts.
    pub start: Start,
    /// Number of runs, at least 1.
    pub restarts: usize,
    /// When to leave an example alone.
    pub stop: Stop,
}

impl Pgd {
    /// 100 steps of cross-entropy from the image, once.
    pub fn new(threat: Threat) -> Self {
        Self {
            threat,
            objective: Objective::CrossEntropy,
            aim: Aim::Away,
            steps: 100,
            step: StepRule::default(),
            start: Start::Image,
            restarts: 1,
            stop: Stop::AtSuccess,
        }
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
        self.run_as("pgd", classifier, examples, seed)
    }

    pub(super) fn run_as<T: FloatDType>(
        &self,
        attack: &'static str,
        classifier: &Classifier<'_, T>,
        examples: &Examples<T>,
        seed: Seed,
    ) -> Result<Vec<Outcome<T>>> {
        check(self.threat, ("steps", self.steps), &[("runs", self.restarts)])?;
        self.step.check()?;
        let target = if self.aim == Aim::Away { None } else { Some(0) };
        check_classes(Loss { objective: self.objective, target }, classifier)?;
        if let Aim::Toward(Target::Class(class)) = self.aim
            && class >= classifier.classes()
        {
            bail!("target class {class} is no class of a network with {} outputs", classifier.classes());
        }
        let goal = Goal { threat: self.threat, keep: Keep::First, stop: self.stop, aim: self.aim };
        run(classifier, examples, goal, |example| {
            let loss = Loss { objective: self.objective, target: self.aim.target(&example) };
            let starts = (0..self.restarts).map(|restart| if restart == 0 { self.start } else { Start::Random });
            let runs = starts.map(|start| Run { loss, start }).collect();
            let source = Source { seed, attack, example: example.index };
            Ascent::new(
                example,
                Plan { threat: self.threat, steps: self.steps, step: self.step, first: 0 },
                runs,
                source,
            )
        })
    }
}

/// Most steps or proposals of an attack.
const MOST: usize = 1 << 30;
/// Most runs for each direction of an attack, and most classes: they are listed for every image that is attacked at the time.
pub const MOST_RUNS: usize = 1 << 12;

/// What no iterative attack can do without. Its steps, and what it lists for every image, come with the word for them.
pub(super) fn check(threat: Threat, steps: (&str, usize), lists: &[(&str, usize)]) -> Result<()> {
    if let Some(problem) = threat.problem() {
        bail!("{problem}");
    }
    let lists = lists.iter().map(|list| (*list, MOST_RUNS));
    for ((what, count), most) in std::iter::once((steps, MOST)).chain(lists) {
        if count == 0 {
            bail!("an attack of 0 {what} does nothing; use at least 1");
        }
        if count > most {
            bail!("an attack of {count} {what} takes too long; use at most {most}");
        }
    }
    Ok(())
}

pub(super) fn check_classes<T: FloatDType>(loss: Loss, classifier: &Classifier<'_, T>) -> Result<()> {
    let (fewest, classes) = (loss.fewest_classes(), classifier.classes());
    if classes < fewest {
        bail!("{:?} needs at least {fewest} classes, the network has {classes}; use the margin", loss.objective);
    }
    Ok(())
}

/// One run of an ascent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub loss: Loss,
    pub start: Start,
}

/// What the runs of an ascent share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub threat: Threat,
    pub steps: usize,
    pub step: StepRule,
    /// Number of the first run: keys the random numbers.
    pub first: usize,
}

/// Runs of projected gradient ascent, one after the other.
pub(super) struct Ascent<'e, T> {
    example: Example<'e, T>,
    plan: Plan,
    step: f64,
    runs: Vec<Run>,
    source: Source,
    /// Which run.
    current: usize,
    stream: Stream,
    /// Steps made in it.
    made: usize,
}

impl<'e, T: FloatDType> Ascent<'e, T> {
    pub fn new(example: Example<'e, T>, plan: Plan, runs: Vec<Run>, source: Source) -> Self {
        let step = plan.step.length(plan.threat.eps, plan.steps);
        let stream = source.run(plan.first);
        Self { example, plan, step, runs, source, current: 0, stream, made: 0 }
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }
}

impl<T: FloatDType> Search<T> for Ascent<'_, T> {
    fn begin(&mut self, point: &mut [T]) {
        self.made = 0;
        self.stream = self.source.run(self.plan.first + self.current);
        match self.runs[self.current].start {
            Start::Image => point.copy_from_slice(self.example.image),
            Start::Random => inside(self.plan.threat, &mut self.stream, self.example.image, point),
        }
    }

    fn observe(&mut self, visit: &Visit<'_, T>, wanted: &mut Vec<f64>) -> Next {
        if self.made < self.plan.steps {
            self.runs[self.current].loss.gradient(visit.logits, self.example.label, wanted);
            return Next::Step;
        }
        self.current += 1;
        if self.current < self.runs.len() { Next::Restart } else { Next::End }
    }

    fn advance(&mut self, gradients: Gradients<'_, T>, point: &mut [T]) {
        let (threat, gradient) = (self.plan.threat, gradients.get(0));
        if is_zero(gradient) {
            let mut random = vec![T::zero(); gradient.len()];
            direction(threat.norm, &mut self.stream, &mut random);
            climb(threat, self.example.image, point, &random, self.step);
        } else {
            climb(threat, self.example.image, point, gradient, self.step);
        }
        self.made += 1;
    }
}
