//! Figures cited from CSV files: `checkerboard arm=hannet: {mean:%}` names a row and says how to write its cells. README's
//! markers and the evidence of claims are such citations.

mod rows;
mod source;
mod template;

pub use rows::Rows;
pub use source::Results;
pub use template::{check_template, parted, render};
