//! What the program and its benches ask of their allocator, mimalloc.

use mimalloc as _; // links the library
use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc.h: how many milliseconds freed memory is kept before the kernel has it back; never, if negative.
const PURGE_DELAY: c_int = 15;

#[allow(unsafe_code, reason = "declared as in mimalloc.h")]
unsafe extern "C" {
    /// Sets an option unless the environment did. Not to be called while other threads allocate.
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// Freed memory stays with the process, unless `MIMALLOC_PURGE_DELAY` is set. A training step frees what the next one allocates; given
/// back in between, every page costs a fault and is cleared again, which takes a tenth of a mixer's step. The peak is 5 to 20 % higher.
///
/// To be called at the start of `main`.
#[allow(unsafe_code, reason = "a foreign function")]
pub fn keep_freed_memory() {
    // SAFETY: the declaration is that of the header, and no other thread allocates yet.
    unsafe { mi_option_set_default(PURGE_DELAY, -1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(unsafe_code, reason = "declared as in mimalloc.h")]
    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    /// Options are numbers here, and another version could count them otherwise.
    #[test]
    #[allow(unsafe_code, reason = "a foreign function")]
    fn the_option_is_the_one_with_that_default() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            // SAFETY: reads one number.
            let delay = || unsafe { mi_option_get(PURGE_DELAY) };
            assert_eq!(delay(), 1000);
            keep_freed_memory();
            assert_eq!(delay(), -1);
        }
    }
}
