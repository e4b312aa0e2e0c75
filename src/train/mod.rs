//! The training loop and its parts. It emits events and returns an outcome; it knows nothing of files or bars.

mod best;
mod fit;
mod loss;
mod optimizer;
mod pass;
mod prefetch;
mod sampling;
mod schedule;
mod update_rule;

pub use best::{Best, Kept};
pub use fit::{Control, FitConfig, Observer, Outcome, Report, Snapshot, State, StepReport, Streams, fit, resume};
pub use loss::LossConfig;
pub use optimizer::Optimizer;
pub use pass::Pass;
pub use sampling::Sampling;
pub use schedule::ScheduleConfig;
pub use update_rule::OptimizerConfig;
