//! Experiments end to end: the stages in order.

pub mod checkerboard;
pub mod gradients;
pub mod halt;
pub mod image;
pub mod progress;
pub mod robustness;
pub mod scheduler;
mod training;
