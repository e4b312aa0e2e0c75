//! What the measurements of the layer's claims leave, and the table over them.

mod exponent;
mod rows;
mod run;
mod summary;

pub use exponent::exponent;
pub use rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
pub use run::{ProbeRecord, Rows};
pub use summary::{Accuracies, ClaimRow, DepthScore, Finished, accuracies, chosen, claim_rows};
