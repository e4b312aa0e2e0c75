//! What an attack is after: which broken image is kept, where to go, and when to stop.

use super::examples::Example;
use super::threat::Threat;
use candle_core::FloatDType;
use serde::{Deserialize, Serialize};

/// Which broken image is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The first within the ball, in the order in which the attack visits points.
    First,
    /// The nearest one in the norm of the threat, inside the ball or not.
    Nearest,
}

/// When an example is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// With the first broken image within the ball.
    #[default]
    AtSuccess,
    /// When the attack has made all its steps, as libraries do: for comparisons of last iterates, and for distances.
    Never,
}

/// Where an attack wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Away from the label, to any other class.
    #[default]
    Away,
    /// To one class. An example that has this label is not attacked.
    Toward(Target),
}

/// A class to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The same for all examples.
    Class(usize),
    /// The wrong class with the largest clean logit.
    Likeliest,
    /// The class with the smallest clean logit.
    LeastLikely,
}

impl Aim {
    /// The class to reach for an example; None for any but the label.
    pub(super) fn target<T: FloatDType>(self, example: &Example<'_, T>) -> Option<usize> {
        match self {
            Self::Away => None,
            Self::Toward(Target::Class(class)) => Some(class),
            Self::Toward(Target::Likeliest) => example.targets().first().copied(),
            Self::Toward(Target::LeastLikely) => example.targets().last().copied(),
        }
    }
}

/// How points are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    pub threat: Threat,
    pub keep: Keep,
    pub stop: Stop,
    pub aim: Aim,
}

impl Goal {
    /// Any misclassification within the ball.
    pub fn within(threat: Threat, stop: Stop) -> Self {
        Self { threat, keep: Keep::First, stop, aim: Aim::Away }
    }

    /// The nearest misclassification. The ball matters to [`Stop::AtSuccess`] alone.
    pub fn nearest(threat: Threat, stop: Stop) -> Self {
        Self { threat, keep: Keep::Nearest, stop, aim: Aim::Away }
    }
}
