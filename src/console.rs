//! What the program says. A reader that went away must neither stop work nor pass for success.

use std::io::{self, Write};

/// Writes a line to standard error. If nobody can read it, the work goes on.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a command's answer to standard output. A reader that has seen enough and closes the pipe is no error.
///
/// # Errors
/// When the output cannot be written for another reason, such as a full device.
pub fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
