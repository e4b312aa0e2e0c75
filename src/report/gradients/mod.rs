use super::Report;
use crate::config::gradients::{Claims, Runs};
use crate::record::{Store, gradients::Finished};
pub fn write(_s: &Store, _c: &Claims, _r: &Runs, _f: &Finished) -> anyhow::Result<Report> { Ok(Report { text: String::new(), missed: 0 }) }
