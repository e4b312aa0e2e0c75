//! Sums over one row, in four interleaved vector registers: a single running sum would wait for each addition, and sums
//! are the one kind of loop that the compiler does not put into registers by itself, since that changes their order.

use super::lanes::Element;
use pulp::Simd;

/// The sum of a_i b_i.
#[inline(always)]
pub(super) fn dot<T: Element, S: Simd>(simd: S, a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (T::split::<S>(a), T::split::<S>(b));
    let rest = a_rest.iter().zip(b_rest).fold(T::default(), |sum, (a, b)| sum + *a * *b);
    let mut sums = [T::splat(simd, T::default()); 4];
    let ((a4, a_rest), (b4, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a4.iter().zip(b4) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = T::mul_add(simd, *a, *b, *sum);
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        sums[0] = T::mul_add(simd, *a, *b, sums[0]);
    }
    total::<T, S>(simd, sums) + rest
}

/// The sum of a_i.
#[inline(always)]
pub(super) fn sum<T: Element, S: Simd>(simd: S, a: &[T]) -> T {
    let (a, rest) = T::split::<S>(a);
    let mut sums = [T::splat(simd, T::default()); 4];
    let (a4, a_rest) = a.as_chunks::<4>();
    for a in a4 {
        for (sum, a) in sums.iter_mut().zip(a) {
            *sum = T::plus(simd, *sum, *a);
        }
    }
    for a in a_rest {
        sums[0] = T::plus(simd, sums[0], *a);
    }
    rest.iter().fold(total::<T, S>(simd, sums), |sum, a| sum + *a)
}

/// The sum of (a_i - centre)^2.
#[inline(always)]
pub(super) fn squares_about<T: Element, S: Simd>(simd: S, a: &[T], centre: T) -> T {
    let (a, rest) = T::split::<S>(a);
    let minus = T::splat(simd, T::default() - centre);
    let mut sums = [T::splat(simd, T::default()); 2];
    for pair in a.chunks(2) {
        for (sum, a) in sums.iter_mut().zip(pair) {
            let off = T::plus(simd, *a, minus);
            *sum = T::mul_add(simd, off, off, *sum);
        }
    }
    let whole = T::reduce_sum(simd, T::plus(simd, sums[0], sums[1]));
    rest.iter().fold(whole, |sum, a| sum + (*a - centre) * (*a - centre))
}

#[inline(always)]
fn total<T: Element, S: Simd>(simd: S, [a, b, c, d]: [T::Lanes<S>; 4]) -> T {
    T::reduce_sum(simd, T::plus(simd, T::plus(simd, a, b), T::plus(simd, c, d)))
}
