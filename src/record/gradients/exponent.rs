//! The exponent of a power law.

/// k of y = a x^k by least squares on the logarithms; None for fewer than two different x.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mean_x, mean_y) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let across: f64 = logs.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let along: f64 = logs.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    (across > 0.0 && along.is_finite()).then(|| along / across)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_has_its_exponent() {
        let points: Vec<(f64, f64)> = [2.0, 3.0, 7.0, 11.0].into_iter().map(|x: f64| (x, 5.0 * x.powf(1.75))).collect();
        assert!(exponent(&points).is_some_and(|k| (k - 1.75).abs() < 1e-12));
        assert_eq!((exponent(&points[..1]), exponent(&[])), (None, None));
    }
}
