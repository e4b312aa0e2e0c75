//! What the program says. A reader that went away does not stop work; output that is lost does not pass for success.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that the user asked for could not be written.
static LOST: AtomicBool = AtomicBool::new(false);
/// Most characters of a name from a file that a message shows, and of any line of it: a file may have one line alone.
const LONGEST_NAME: usize = 200;
const LONGEST_LINE: usize = 4000;

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

/// The chain of causes without the backtraces that candle's errors print when one is asked for. Only a mistake in TOML takes
/// more lines than one, for the line that it stands in: in any other message a line may be a name from a file.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain() {
        let between = if cause.is::<toml::de::Error>() { "\n" } else { "; " };
        let text = cause.to_string();
        let lines = text.lines().take_while(|line| !line.trim_start().starts_with("0: "));
        let lines = lines.filter(|line| !line.trim().is_empty()).map(|line| cut(line, LONGEST_LINE));
        let lines: Vec<Cow<'_, str>> = lines.collect();
        let text = lines.join(between).trim_end().to_string();
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

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn no_name_steers_a_terminal_or_looks_like_another_message() {
        let name = "\u{1b}]0;owned\u{7}\nerror: x";
        assert_eq!(printable(name), "\\u{1b}]0;owned\\u{7}\nerror: x");
        assert!(matches!(printable("größer\n\tand longer\n"), Cow::Borrowed(_)));
        assert_eq!(shown(name), "\\u{1b}]0;owned\\u{7}\\nerror: x");
        assert_eq!(shown(&"é".repeat(LONGEST_NAME + 1)), "é".repeat(LONGEST_NAME) + "..");
        assert_eq!(one_line(&anyhow!("{name}").context("file")), "file: \u{1b}]0;owned\u{7}; error: x");
        assert!(one_line(&anyhow!("{}", "x".repeat(1 << 20))).len() <= LONGEST_LINE + 2);
        let of_toml = toml::from_str::<toml::Table>("a = ").context("file").expect_err("no TOML");
        assert!(one_line(&of_toml).lines().count() > 2, "{of_toml:#}");
    }
}
