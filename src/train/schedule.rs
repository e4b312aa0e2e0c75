//! Learning rate over the iterations of a run, in fractions of its length, so that a shorter run is the same shape.

use serde::{Deserialize, Serialize};

/// A factor on the base learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Multiplied by `factor` at each of the given fractions (PyTorch's `MultiStepLR`).
    MultiStep {
        /// Ascending, in (0, 1).
        at: Vec<f64>,
        /// In (0, 1].
        factor: f64,
    },
    /// Linear rise over the fraction `warmup`, then half a cosine down to `floor` times the base rate
    /// (Loshchilov and Hutter 2017, equation 5, without restarts).
    Cosine {
        /// In [0, 1).
        warmup: f64,
        /// In [0, 1].
        #[serde(default)]
        floor: f64,
    },
    /// Linear rise over the fraction `warmup`, constant, then linear fall to 0 over the last fraction `decay`.
    Trapezoid {
        /// In [0, 1).
        warmup: f64,
        /// In [0, 1].
        decay: f64,
    },
}

impl ScheduleConfig {
    /// The factor at `iteration` (from 0) of `iterations`.
    pub fn factor(&self, iteration: usize, iterations: usize) -> f64 {
        let length = iterations as f64;
        match self {
            Self::MultiStep { at, factor } => {
                let passed = at.iter().filter(|fraction| iteration >= (*fraction * length).round() as usize).count();
                factor.powi(passed as i32)
            }
            Self::Cosine { warmup, floor } => {
                let rise = (warmup * length).round();
                let step = iteration as f64;
                if step < rise {
                    return (step + 1.0) / rise;
                }
                let progress = (step - rise) / (length - rise).max(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
            Self::Trapezoid { warmup, decay } => {
                let (rise, fall) = ((warmup * length).round(), (decay * length).round());
                let step = iteration as f64;
                ((step + 1.0) / rise.max(1.0)).min((length - step) / fall.max(1.0)).min(1.0)
            }
        }
    }

    /// Why the schedule makes no sense, if so.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::MultiStep { at, factor } => {
                let inside = at.iter().all(|fraction| *fraction > 0.0 && *fraction < 1.0);
                if !inside || at.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Some(format!("multi_step.at is {at:?}; use ascending fractions between 0 and 1"));
                }
                let fits = *factor > 0.0 && *factor <= 1.0;
                (!fits).then(|| format!("multi_step.factor is {factor}; use a number above 0, at most 1"))
            }
            Self::Cosine { warmup, floor } => {
                if !(0.0..1.0).contains(warmup) {
                    return Some(format!("cosine.warmup is {warmup}; use a number from 0 to below 1"));
                }
                (!(0.0..=1.0).contains(floor)).then(|| format!("cosine.floor is {floor}; use 0 to 1"))
            }
            Self::Trapezoid { warmup, decay } => {
                let fits = *warmup >= 0.0 && *decay >= 0.0 && warmup + decay <= 1.0;
                let cure = "use numbers from 0 to 1 that add up to 1 at most";
                (!fits).then(|| format!("trapezoid.warmup is {warmup} and trapezoid.decay is {decay}; {cure}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_rises_falls_and_ends_near_its_floor() {
        let schedule = ScheduleConfig::Cosine { warmup: 0.1, floor: 0.0 };
        let at = |iteration| schedule.factor(iteration, 1000);
        assert_eq!((at(0), at(99), at(100)), (0.01, 1.0, 1.0));
        assert!((at(550) - 0.5).abs() < 1e-12);
        assert!(at(999) < 1e-5 && at(999) > 0.0);
    }

    #[test]
    fn a_trapezoid_rises_holds_and_falls() {
        let schedule = ScheduleConfig::Trapezoid { warmup: 0.1, decay: 0.4 };
        let at = |iteration| schedule.factor(iteration, 1000);
        assert_eq!((at(0), at(49), at(99), at(600), at(800)), (0.01, 0.5, 1.0, 1.0, 0.5));
        assert!(at(999) > 0.0 && at(999) < 0.003);
    }

    #[test]
    fn what_is_refused_is_not_recommended() {
        let problem = |schedule: ScheduleConfig| schedule.problem().expect("it is out of range");
        let told = problem(ScheduleConfig::MultiStep { at: vec![0.5], factor: 0.0 });
        assert_eq!(told, "multi_step.factor is 0; use a number above 0, at most 1");
        let told = problem(ScheduleConfig::Cosine { warmup: -0.5, floor: 0.0 });
        assert_eq!(told, "cosine.warmup is -0.5; use a number from 0 to below 1");
        let told = problem(ScheduleConfig::Trapezoid { warmup: -0.1, decay: 0.2 });
        assert!(told.ends_with("use numbers from 0 to 1 that add up to 1 at most"), "{told}");
    }

    #[test]
    fn the_same_fractions_scale_with_the_length() {
        let schedule = ScheduleConfig::MultiStep { at: vec![0.5, 0.7, 0.9], factor: 0.2 };
        assert_eq!(schedule.factor(19_999, 40_000), 1.0);
        assert_eq!(schedule.factor(20_000, 40_000), 0.2);
        assert_eq!(schedule.factor(7, 10), 0.2 * 0.2);
    }
}
