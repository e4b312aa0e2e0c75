//! Errors as the program reports them.

use super::cut;
use std::borrow::Cow;
use std::io::{self, ErrorKind};

/// Most characters of any line of a message: a file may have one line alone.
const LONGEST_LINE: usize = 4000;

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
        ErrorKind::PermissionDenied => Some("; you have no permission there: change that, or name another place"),
        ErrorKind::ReadOnlyFilesystem => Some("; see --out for another directory, or allow writing there"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn no_name_looks_like_another_message() {
        let name = "\u{1b}]0;owned\u{7}\nerror: x";
        assert_eq!(one_line(&anyhow!("{name}").context("file")), "file: \u{1b}]0;owned\u{7}; error: x");
        assert!(one_line(&anyhow!("{}", "x".repeat(1 << 20))).len() <= LONGEST_LINE + 2);
        let of_toml = toml::from_str::<toml::Table>("a = ").context("file").expect_err("no TOML");
        assert!(one_line(&of_toml).lines().count() > 2, "{of_toml:#}");
    }
}
