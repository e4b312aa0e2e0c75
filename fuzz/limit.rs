//! Ends the process where one input takes more than 512 MiB at once: libFuzzer's own limit of allocations needs a sanitizer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MOST: usize = 512 << 20;

/// Bytes in use, and those of them that were when the input came.
static NOW: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(usize::MAX - MOST);

struct Limited;

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn more(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    if now > BEFORE.load(Relaxed) + MOST {
        // libFuzzer keeps the input even if this cannot be written.
        let _ = std::io::stderr().write_all(b"more than 512 MiB for one input\n");
        std::process::abort();
    }
}

fn fewer(bytes: usize) {
    NOW.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        fewer(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        more(size);
        fewer(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Reads an input.
pub fn within(read: impl FnOnce() -> bool) {
    BEFORE.store(NOW.load(Relaxed), Relaxed);
    read();
}
