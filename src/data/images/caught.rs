//! Panics of other people's decoders, as errors: some take a damaged file for a mistake of the program.

use anyhow::{Result, anyhow};
use std::cell::Cell;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does the work on a file; a panic in it is an error, and nothing is printed of it.
///
/// # Errors
/// The work's own, and its panics, with the file.
pub(super) fn caught<T>(file: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(anyhow!("{file}: damaged: {}", text.unwrap_or("it cannot be decoded").trim().replace('\n', "; ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(caught("file", || Ok(7)).expect("a number"), 7);
        let told = |work: fn() -> Result<()>| caught("file", work).expect_err("a panic").to_string();
        assert_eq!(told(|| panic!("no {}", "page")), "file: damaged: no page");
        assert_eq!(told(|| panic!("no page\n")), "file: damaged: no page");
        assert_eq!(told(|| panic::panic_any(7)), "file: damaged: it cannot be decoded");
        assert_eq!(told(|| Err(anyhow!("no file"))), "no file");
    }
}
