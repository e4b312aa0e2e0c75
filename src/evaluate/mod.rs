//! Scores of a trained network: no graph, no side effect.

pub mod accuracy;
pub mod attack;
pub mod certificate;
pub mod classification;
pub mod gradient;
pub mod masking;
pub mod regression;
