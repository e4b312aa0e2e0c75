//! What the measurements of the layer's claims leave, and the table over them.

mod depth;
mod exponent;
mod rows;
mod run;
mod summary;

pub use depth::{Accuracies, DepthScore, accuracies, chosen};
pub use exponent::exponent;
pub use rows::{CostRow, ExtentRow, FlowRow, JacobianRow, NeighbourRow, StretchRow};
pub use run::{ProbeRecord, Rows};
pub use summary::{ClaimRow, Finished, claim_rows};
