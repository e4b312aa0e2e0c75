//! The machine: settings, runs, rows, pages. It names no experiment.

pub mod cite;
pub mod compare;
pub mod experiment;
pub mod foreign;
mod interrupted;
pub mod invocation;
mod kind;
mod last;
mod outline;
pub mod page;
mod recall;
pub mod rows;
pub mod runs;
pub mod settings;
pub mod source;
mod standing;
#[cfg(test)]
pub mod testing;

pub use experiment::Experiment;
pub use invocation::quoted;
pub use kind::{Of, Reproduce, Variant, Verb, overview, verb};
pub(crate) use last::noted;
pub use last::{last, remembered};
pub use outline::Outline;
pub use recall::Recalled;
