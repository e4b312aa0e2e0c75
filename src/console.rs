//! What the program says. A reader that went away does not stop work; output that is lost does not pass for success.

#[cfg(feature = "program")]
mod error;

#[cfg(feature = "program")]
pub use error::one_line;

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that the user asked for could not be written.
static LOST: AtomicBool = AtomicBool::new(false);
/// Most characters of a name from a file that a message shows.
const LONGEST_NAME: usize = 200;

/// Writes a line to standard error. If nobody can read it, the work goes on.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(line));
}

/// Whether a character steers a terminal, or changes the direction in which others are read. Names from files may hold any.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with other signs for such characters.
fn tame(text: &str, steers: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if steers(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A text that steers no terminal.
fn printable(text: &str) -> Cow<'_, str> {
    tame(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// A name from a file, for a message: in one line, of a length that can be read.
pub fn shown(name: &str) -> String {
    tame(&cut(name, LONGEST_NAME), steers).into_owned()
}

/// The first characters of a text, with a sign where there are more.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}..", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Writes a command's answer to standard output. A reader that has seen enough and closes the pipe is no error; any
/// other failure, such as a full device, is one at the end ([`something_was_lost`]).
pub fn answer(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(printable(text).as_bytes()).and_then(|()| out.flush()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_steers_a_terminal() {
        let name = "\u{1b}]0;owned\u{7}\nerror: x";
        assert_eq!(printable(name), "\\u{1b}]0;owned\\u{7}\nerror: x");
        assert!(matches!(printable("größer\n\tand longer\n"), Cow::Borrowed(_)));
        assert_eq!(shown(name), "\\u{1b}]0;owned\\u{7}\\nerror: x");
        assert_eq!(shown(&"é".repeat(LONGEST_NAME + 1)), "é".repeat(LONGEST_NAME) + "..");
    }
}
