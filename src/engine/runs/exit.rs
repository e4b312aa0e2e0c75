//! Exit codes.

use std::process::ExitCode;

/// How a command ended, as an exit code. clap itself answers wrong usage with 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All done.
    Success,
    /// An error, told on standard error.
    Failure,
    /// `--strict`, and an expectation was missed.
    Missed,
    /// A signal: 128 and its number.
    Stopped(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Missed => 3,
            Exit::Stopped(code) => code,
        })
    }
}
