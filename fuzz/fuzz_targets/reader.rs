#![no_main]

#[path = "../limit.rs"]
mod limit;

use han_exp::inputs::{ALL, Target};
use std::sync::LazyLock;

/// The reader that the variable READER names.
static READER: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("READER").unwrap_or_default();
    let names = || ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = ALL.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("READER should be one of {}, got \"{wanted}\"", names())).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| limit::within(|| READER(bytes)));
