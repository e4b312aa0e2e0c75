//! stub
#![deny(unsafe_code)]
#![warn(missing_docs)]
pub mod data;
pub mod model;
pub mod nn;
pub mod rng;
pub mod train;
