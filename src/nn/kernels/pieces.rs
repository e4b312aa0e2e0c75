//! How a batch is cut for threads.
//!
//! A batch is cut into at most eight pieces, whatever the number of threads. Every piece makes its own partial sums,
//! and these are added in the order of the pieces: the result has the same bits on one thread and on many.

use super::lanes::Element;
use super::threads;
use rayon::prelude::*;
use std::ops::Range;

/// Enough for two to eight threads to have even work, few enough for partial sums of parameters to stay cheap.
const PIECES: usize = 8;

/// The pieces of `0..count`.
pub fn ranges(count: usize) -> Vec<Range<usize>> {
    let step = count.div_ceil(PIECES).max(1);
    (0..count).step_by(step).map(|start| start..(start + step).min(count)).collect()
}

/// Cuts `count` equal entries of a slice like [`ranges`] cuts `0..count`.
pub fn parts_mut<T>(slice: &mut [T], count: usize) -> impl Iterator<Item = &mut [T]> {
    let entry = slice.len() / count.max(1);
    slice.chunks_mut((count.div_ceil(PIECES) * entry).max(1))
}

/// What `work` makes of every piece, in order; on all threads, if there are several.
pub fn each<P: Send, R: Send>(pieces: impl IntoIterator<Item = P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
    if threads::count() == 1 {
        return pieces.into_iter().map(work).collect();
    }
    let pieces: Vec<P> = pieces.into_iter().collect();
    pieces.into_par_iter().map(&work).collect()
}

/// What `append` makes of all pieces of `0..count`, which is `len` entries, one after the other. Memory that every entry is
/// appended to need not be cleared before.
pub fn gathered<T: Element>(count: usize, len: usize, append: impl Fn(Range<usize>, &mut Vec<T>) + Sync) -> Vec<T> {
    let mut all = Vec::with_capacity(len);
    if threads::count() == 1 {
        ranges(count).into_iter().for_each(|range| append(range, &mut all));
        return all;
    }
    let parts = each(ranges(count), |range| {
        let mut part = Vec::with_capacity((len / count.max(1)) * range.len());
        append(range, &mut part);
        part
    });
    parts.into_iter().for_each(|part| all.extend_from_slice(&part));
    all
}

/// The sum of vectors of `len` entries, added in order; zeros where there are none, as for an empty batch.
pub fn total<T: Element>(len: usize, parts: impl IntoIterator<Item = Vec<T>>) -> Vec<T> {
    let mut parts = parts.into_iter();
    let Some(mut sum) = parts.next() else { return vec![T::default(); len] };
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sum
}
