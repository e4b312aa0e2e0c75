//! The bumps of the Square attack in L2 (Andriushchenko et al. 2020, equation 2).

use crate::rng::Stream;

/// Two pyramids of opposite sign, one above the other or side by side, of length 1: `[side, side]`.
pub(super) fn bump(side: usize, stream: &mut Stream) -> Vec<f64> {
    let half = side / 2;
    let mut bump = pyramid(half, side);
    bump.extend(pyramid(side - half, side).into_iter().map(|b| -b));
    if stream.uniform() > 0.5 {
        bump = (0..side * side).map(|place| bump[place % side * side + place / side]).collect();
    }
    let length = bump.iter().map(|b| b * b).sum::<f64>().sqrt();
    bump.iter().map(|b| b / length).collect()
}

/// Rectangles around the centre, each larger one of weight 1 / k^2: `[rows, columns]`, of length 1.
fn pyramid(rows: usize, columns: usize) -> Vec<f64> {
    let mut values = vec![0.0; rows * columns];
    let (row, column) = (rows / 2, columns / 2);
    for ring in 0..=row.max(column) {
        let weight = 1.0 / ((ring + 1) * (ring + 1)) as f64;
        let span = |centre: usize, limit: usize| centre.saturating_sub(ring)..(centre + ring + 1).min(limit);
        for r in span(row, rows) {
            span(column, columns).for_each(|c| values[r * columns + c] += weight);
        }
    }
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    values.iter().map(|v| v / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn bumps_have_length_one_and_two_signs() {
        let mut stream = Seed(1).stream("bump");
        for side in [1, 2, 3, 5, 8, 25] {
            let bump = bump(side, &mut stream);
            assert!((bump.iter().map(|b| b * b).sum::<f64>() - 1.0).abs() < 1e-12, "{side}");
            assert_eq!(bump.len(), side * side);
            assert!(side == 1 || (bump.iter().any(|b| *b > 0.0) && bump.iter().any(|b| *b < 0.0)), "{side}");
        }
    }
}
