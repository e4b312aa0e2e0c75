//! Summaries of a few repetitions.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean, spread and extremes of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub n: usize,
    pub mean: f64,
    /// Standard deviation with n - 1 in the denominator; None for a single value.
    pub deviation: Option<f64>,
    pub min: f64,
    /// Middle value, or the mean of the two middle ones.
    pub median: f64,
    pub max: f64,
}

impl Sample {
    /// None for an empty sample.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let squares: f64 = sorted.iter().map(|x| (x - mean) * (x - mean)).sum();
        let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        Some(Self { n, mean, deviation, min, median, max })
    }

    /// 95 % interval of the mean by Student's t (Student 1908); it assumes near-normal values, which accuracies close
    /// to 1 are not, so read it with the extremes. None for a single value.
    pub fn confidence_interval(&self) -> Option<(f64, f64)> {
        let deviation = self.deviation?;
        let t = StudentsT::new(0.0, 1.0, (self.n - 1) as f64).ok()?.inverse_cdf(0.975);
        let half = t * deviation / (self.n as f64).sqrt();
        Some((self.mean - half, self.mean + half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_textbook_statistics() {
        let sample = Sample::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("not empty");
        assert_eq!((sample.n, sample.mean, sample.min, sample.median, sample.max), (8, 5.0, 2.0, 4.5, 9.0));
        assert!((sample.deviation.expect("several values") - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        // t(0.975, 7) = 2.364624
        let (low, high) = sample.confidence_interval().expect("several values");
        assert!((high - low - 2.0 * 2.364_624 * (32.0f64 / 7.0).sqrt() / 8f64.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn small_samples_have_no_spread() {
        assert_eq!(Sample::of(&[]), None);
        let one = Sample::of(&[3.0]).expect("one value");
        assert_eq!((one.median, one.deviation, one.confidence_interval()), (3.0, None, None));
    }
}
