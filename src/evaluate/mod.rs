//! Scores of a trained network: no graph, no side effect.

pub mod accuracy;
pub mod certificate;
