//! Losses on slices.

use super::dispatch::vectorized;
use super::lanes::Element;

vectorized! {
    /// The mean of (a - b)^2, summed in double precision.
    pub fn mean_squared_error<T: Element>(a: &[T], b: &[T]) -> T {
        let sum = a.iter().zip(b).map(|(a, b)| (*a - *b).to_f64()).fold(0.0, |sum, d| sum + d * d);
        T::from_f64(sum / a.len() as f64)
    }

    /// dL/da of [`mean_squared_error`] times `factor`; dL/db is its negative.
    pub fn mean_squared_error_gradient<T: Element>(a: &[T], b: &[T], factor: T) -> Vec<T> {
        let share = factor * T::from_f64(2.0 / a.len() as f64);
        a.iter().zip(b).map(|(a, b)| (*a - *b) * share).collect()
    }
}
