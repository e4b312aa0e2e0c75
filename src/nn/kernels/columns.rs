//! Work on the columns of row-major matrices that may be narrow: channels of images.

use super::lanes::Element;

/// Columns whose sums stay in registers, and fewer for what is left over.
const BLOCK: usize = 16;
const HALF_BLOCK: usize = 8;

/// Entries that are worth a loop of their own.
const WIDE: usize = 256;

/// One value a column, repeated for as many rows as make the loop over them long.
pub(super) fn widened<T: Element>(of_columns: &[T]) -> Vec<T> {
    of_columns.repeat(WIDE.div_ceil(of_columns.len().max(1)))
}

/// Per column, the sums over all rows of the two terms of the matrices' entries there and of a number of the column. A few
/// columns at a time go down all rows, so that their sums need not go through memory in every row.
#[inline(always)]
pub(super) fn two_sums<T: Element, const K: usize>(
    matrices: [&[T]; K],
    of_columns: &[f64],
    terms: impl Fn([T; K], f64) -> [f64; 2],
) -> (Vec<f64>, Vec<f64>) {
    let columns = of_columns.len();
    let mut sums = (Vec::with_capacity(columns), Vec::with_capacity(columns));
    while sums.0.len() + BLOCK <= columns {
        add_block::<T, K, BLOCK>(matrices, of_columns, &terms, &mut sums);
    }
    while sums.0.len() + HALF_BLOCK <= columns {
        add_block::<T, K, HALF_BLOCK>(matrices, of_columns, &terms, &mut sums);
    }
    while sums.0.len() < columns {
        add_block::<T, K, 1>(matrices, of_columns, &terms, &mut sums);
    }
    sums
}

/// Appends the sums of the next `N` columns.
#[inline(always)]
fn add_block<T: Element, const K: usize, const N: usize>(
    matrices: [&[T]; K],
    of_columns: &[f64],
    terms: &impl Fn([T; K], f64) -> [f64; 2],
    (first, second): &mut (Vec<f64>, Vec<f64>),
) {
    let (start, columns) = (first.len(), of_columns.len());
    let of_columns: [f64; N] = std::array::from_fn(|lane| of_columns[start + lane]);
    let [mut one, mut two] = [[0.0; N]; 2];
    let nothing = [T::default(); N];
    for row in 0..matrices[0].len() / columns {
        let place = row * columns + start;
        // `matrices.map(..)` is a call in every row where there are three of them, with all sums in memory meanwhile.
        let mut entries = [&nothing; K];
        for (entries, matrix) in entries.iter_mut().zip(matrices) {
            *entries = matrix[place..].first_chunk::<N>().expect("a row has all columns");
        }
        for lane in 0..N {
            let [a, b] = terms(entries.map(|entries| entries[lane]), of_columns[lane]);
            one[lane] += a;
            two[lane] += b;
        }
    }
    first.extend(one);
    second.extend(two);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_summed_whatever_their_number() {
        for columns in [1, 7, 8, 24, 31] {
            let a: Vec<f64> = (0..3 * columns).map(|entry| entry as f64).collect();
            let weights: Vec<f64> = (0..columns).map(|column| 1.0 + column as f64).collect();
            let (sums, products) = two_sums([&a, &a], &weights, |[a, b], weight| [a, weight * b]);
            for column in 0..columns {
                let sum = (0..3).map(|row| a[row * columns + column]).sum::<f64>();
                assert_eq!((sums[column], products[column]), (sum, sum * weights[column]));
            }
        }
    }

    #[test]
    fn a_wide_row_is_made_of_whole_rows() {
        for columns in [1, 3, 64, 300] {
            let row: Vec<f32> = (0..columns).map(|column| column as f32).collect();
            let wide = widened(&row);
            assert!(wide.len() >= WIDE && wide.chunks(columns).all(|part| part == row));
        }
    }
}
