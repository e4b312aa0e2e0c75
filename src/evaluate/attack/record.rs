//! The bookkeeping of one example over all points that an attack visits.

use super::examples::Example;
use super::goal::{Goal, Keep, Stop};
use super::loss::{descending, margin};
use super::outcome::{Adversarial, Break, Outcome, Passes};
use super::threat::{Distance, in_box};
use candle_core::FloatDType;

/// What a search is told of the point it asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit<'a, T> {
    pub point: &'a [T],
    pub logits: &'a [f64],
    /// z_y less the largest other logit
    pub margin: f64,
    /// Whether the point is misclassified (with a target: as that), wherever it is.
    pub broken: bool,
}

/// What is known of one example so far.
pub(super) struct Record<'a, T> {
    example: Example<'a, T>,
    goal: Goal,
    target: Option<usize>,
    run: usize,
    broken_now: bool,
    outcome: Outcome<T>,
}

impl<'a, T: FloatDType> Record<'a, T> {
    pub fn new(example: Example<'a, T>, goal: Goal) -> Self {
        let clean_margin = example.margin();
        let mut record = Self {
            example,
            goal,
            target: goal.aim.target(&example),
            run: 0,
            broken_now: false,
            outcome: Outcome {
                index: example.index,
                label: example.label,
                clean_margin,
                adversarial: None,
                last: Vec::new(),
                broken_at_end: false,
                lowest_margin: clean_margin,
                passes: Passes::default(),
                zero_gradients: 0,
                outside: 0,
            },
        };
        if let Some(cause) = Break::of(clean_margin) {
            record.keep((example.image, Distance::default()), example.logits, clean_margin, cause);
            record.outcome.broken_at_end = true;
        }
        record
    }

    /// Whether there is something to attack.
    pub fn is_open(&self) -> bool {
        !self.outcome.is_clean_error() && self.target != Some(self.example.label)
    }

    /// Judges a point.
    pub fn visit<'v>(&mut self, point: &'v [T], logits: &'v [f64]) -> Visit<'v, T> {
        self.outcome.passes.forward += 1;
        let margin = margin(logits, self.example.label);
        if margin < self.outcome.lowest_margin {
            self.outcome.lowest_margin = margin;
        }
        let cause = Break::of(margin).filter(|cause| match (self.target, cause) {
            (None, _) | (_, Break::NotFinite) => true,
            (Some(target), _) => descending(logits)[0] == target,
        });
        self.broken_now = false;
        if let Some(cause) = cause {
            let (threat, image) = (self.goal.threat, self.example.image);
            let (inside, allowed) = (in_box(point), threat.reaches(image, point));
            let better = match self.goal.keep {
                Keep::First => self.outcome.adversarial.is_none(),
                Keep::Nearest => Distance::is_below(image, point, threat.norm, self.outcome.distance(threat.norm)),
            };
            let counts = inside && (allowed || self.goal.keep == Keep::Nearest);
            self.outcome.outside += usize::from(!counts);
            self.broken_now = inside && allowed;
            if counts && better {
                self.keep((point, Distance::between(image, point)), logits, margin, cause);
            }
        }
        Visit { point, logits, margin, broken: cause.is_some() }
    }

    /// Whether nothing more is to be learnt: the goal is reached, or the logits are broken and lead nowhere.
    pub fn is_settled(&self, visit: &Visit<'_, T>) -> bool {
        let reached = self.goal.stop == Stop::AtSuccess && self.outcome.breaks(self.goal.threat);
        reached || !visit.margin.is_finite()
    }

    /// Counts backward passes.
    pub fn gradient(&mut self, is_zero: bool) {
        self.outcome.passes.backward += 1;
        self.outcome.zero_gradients += usize::from(is_zero);
    }

    /// The point visited last was the last of its run.
    pub fn end_run(&mut self) {
        self.outcome.broken_at_end |= self.broken_now;
        self.run += 1;
    }

    /// What happened, with the point visited last.
    pub fn finish(self, last: &[T]) -> Outcome<T> {
        Outcome { last: last.to_vec(), ..self.outcome }
    }

    fn keep(&mut self, (image, distance): (&[T], Distance), logits: &[f64], margin: f64, cause: Break) {
        let (predicted, run) = (descending(logits)[0], self.run);
        self.outcome.adversarial = Some(Adversarial { image: image.to_vec(), distance, predicted, margin, cause, run });
    }
}
