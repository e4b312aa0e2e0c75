//! Figures cited from CSV files: `checkerboard arm=hannet: {mean:%}` names a row and says how to write its cells. README's
//! markers and the evidence of claims are such citations.

mod source;
mod template;

pub use source::{Results, Rows};
pub use template::parted;
