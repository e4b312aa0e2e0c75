//! Sums over one row in a fixed number of interleaved partial sums, which the compiler keeps in vector registers: a
//! single running sum may not be reordered and would wait for each addition.

use super::lanes::Element;

/// Partial sums of a row.
const PARTS: usize = 32;

/// The sum of f(a_i, b_i).
#[inline(always)]
pub(super) fn sum2<T: Element>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    let mut sums = [T::default(); PARTS];
    let ((a_whole, a_rest), (b_whole, b_rest)) = (a.as_chunks::<PARTS>(), b.as_chunks::<PARTS>());
    for (a, b) in a_whole.iter().zip(b_whole) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f(*a, *b);
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += f(*a, *b);
    }
    total(sums)
}

/// The sum of f(a_i).
#[inline(always)]
pub(super) fn sum<T: Element>(a: &[T], f: impl Fn(T) -> T) -> T {
    sum2(a, a, |a, _| f(a))
}

/// The sum of a_i b_i.
#[inline(always)]
pub(super) fn dot<T: Element>(a: &[T], b: &[T]) -> T {
    sum2(a, b, |a, b| a * b)
}

/// By halves, so that the additions stay in registers to the last few.
#[inline(always)]
fn total<T: Element>(mut sums: [T; PARTS]) -> T {
    let mut half = PARTS / 2;
    while half > 0 {
        for place in 0..half {
            let other = sums[place + half];
            sums[place] += other;
        }
        half /= 2;
    }
    sums[0]
}
