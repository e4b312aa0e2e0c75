//! What the program says. A reader that went away does not stop work; output that is lost does not pass for success.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that the user asked for could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard error. If nobody can read it, the work goes on.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a command's answer to standard output. A reader that has seen enough and closes the pipe is no error; any
/// other failure, such as a full device, is one at the end ([`something_was_lost`]).
pub fn answer(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => lost(&format!("cannot write the answer: {error}")),
        _ => {}
    }
}

/// Reports output that could not be written while the rest goes on.
pub fn lost(what: &str) {
    LOST.store(true, Ordering::Relaxed);
    note(&format!("error: {what}"));
}

/// Whether [`lost`] was called: the program then ends with exit code 1.
pub fn something_was_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// The chain of causes without the backtraces that candle's errors print when one is asked for.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        let text: Vec<&str> = cause.lines().take_while(|line| !line.trim_start().starts_with("0: ")).collect();
        let text = text.join("\n").trim_end().to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
    }
    let remedy = error.chain().find_map(|cause| remedy(cause.downcast_ref::<io::Error>()?.kind()));
    causes.join(": ") + remedy.unwrap_or_default()
}

/// What can be done about a disk that takes nothing.
fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("; make room there and run the command again, which goes on from here, or see --out")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Some("; see --out for another directory, or allow writing there")
        }
        _ => None,
    }
}
