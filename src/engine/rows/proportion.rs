//! Intervals for counted outcomes, and the comparison of two networks on the same images.

use statrs::distribution::{Beta, ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;
use std::collections::BTreeMap;

/// The probability that an interval of 95 % leaves over on one side.
const TAIL: f64 = (1.0 - 0.95) / 2.0;

/// The standard normal quantile with that probability above it.
fn normal_quantile() -> f64 {
    -Normal::standard().inverse_cdf(TAIL)
}

/// Successes out of trials, such as images classified right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    pub successes: u64,
    pub trials: u64,
}

impl Proportion {
    /// None without trials or with more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Option<Self> {
        (trials > 0 && successes <= trials).then_some(Self { successes, trials })
    }

    /// The part that succeeded, 0 to 1.
    pub fn estimate(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }

    /// The score interval (Wilson 1927), the one to print: close to its level for any proportion.
    pub fn wilson(&self) -> (f64, f64) {
        let (p, n, z) = (self.estimate(), self.trials as f64, normal_quantile());
        let shrink = 1.0 + z * z / n;
        let centre = (p + z * z / (2.0 * n)) / shrink;
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
        // Exact at the ends, where rounding would leave 1e-17.
        let low = if self.successes == 0 { 0.0 } else { centre - half };
        (low, if self.successes == self.trials { 1.0 } else { centre + half })
    }

    /// The exact interval (Clopper and Pearson 1934): it covers at least its level, so it is the one for certified
    /// counts and near 0 and 1.
    pub fn clopper_pearson(&self) -> (f64, f64) {
        let (x, n) = (self.successes as f64, self.trials as f64);
        // At the ends the Beta quantiles have closed forms, and the general routine has no starting point.
        let end = TAIL.powf(1.0 / n);
        let low = match self.successes {
            0 => 0.0,
            successes if successes == self.trials => end,
            _ => beta_quantile(x, n - x + 1.0, TAIL),
        };
        let high = match self.successes {
            0 => 1.0 - end,
            successes if successes == self.trials => 1.0,
            _ => beta_quantile(x + 1.0, n - x, 1.0 - TAIL),
        };
        (low, high)
    }
}

/// Both shapes are at least 1.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(probability))
}

/// Two networks on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired {
    /// Images that the first alone classifies right.
    pub first_only: u64,
    /// Images that the second alone classifies right.
    pub second_only: u64,
    /// All images.
    pub images: u64,
}

/// Whether each item, such as an image, came out right.
pub type Items = BTreeMap<usize, bool>;

/// Two networks on the items that both have, and the part that each got right of these; None without any.
pub fn on_common(first: &Items, second: &Items) -> Option<(Paired, [f64; 2])> {
    let common = || first.iter().filter_map(|(item, right)| Some((*right, *second.get(item)?)));
    let count = |fits: fn(bool, bool) -> bool| common().filter(|(a, b)| fits(*a, *b)).count() as u64;
    let (first_only, second_only, images) = (count(|a, b| a && !b), count(|a, b| b && !a), count(|_, _| true));
    let parts = [count(|a, _| a), count(|_, b| b)].map(|right| right as f64 / images as f64);
    (images > 0).then_some((Paired { first_only, second_only, images }, parts))
}

impl Paired {
    /// McNemar's exact test (McNemar 1947): how probable it is that of the images on which the networks differ at least
    /// so many fall to one of them, were each as likely to win. Two-sided; 1 where they never differ.
    pub fn p_value(&self) -> f64 {
        let (fewer, differing) = (self.first_only.min(self.second_only), self.first_only + self.second_only);
        if 2 * fewer >= differing {
            return 1.0;
        }
        // P(X <= k) of a binomial(n, 1/2) is the regularised incomplete beta function I_{1/2}(n - k, k + 1).
        (2.0 * beta_reg((differing - fewer) as f64, (fewer + 1) as f64, 0.5)).min(1.0)
    }

    /// Interval of the first accuracy minus the second (Agresti and Min 2005, "Simple improved confidence intervals for
    /// comparing matched proportions"): Wald's with half a count more in each of the four cells, which keeps it from
    /// collapsing where the networks never differ.
    pub fn difference(&self) -> (f64, f64) {
        let (n, z) = (self.images as f64 + 2.0, normal_quantile());
        let (b, c) = (self.first_only as f64 + 0.5, self.second_only as f64 + 0.5);
        let centre = (b - c) / n;
        let half = z * (b + c - (b - c) * (b - c) / n).sqrt() / n;
        ((centre - half).max(-1.0), (centre + half).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: (f64, f64), expected: [f64; 2], what: &str) {
        let error = (actual.0 - expected[0]).abs().max((actual.1 - expected[1]).abs());
        assert!(error < 1e-9, "{what}: {actual:?} is not {expected:?}");
    }

    #[test]
    fn intervals_agree_with_scipy() {
        // scipy.stats.binomtest(successes, trials).proportion_ci(0.95, "wilson") and "exact", scipy 1.16.
        let cases = [
            (0, 10, [0.0, 0.27753279986288926], [0.0, 0.30849710781876294]),
            (10, 10, [0.7224672001371109, 1.0], [0.6915028921812371, 1.0]),
            (3, 10, [0.10779126740630102, 0.6032218525388546], [0.06673951117773447, 0.652452850060008]),
            (0, 10_000, [0.0, 0.00038399837067659573], [0.0, 0.000368819914622022]),
            (1, 10_000, [1.765267360112231e-5, 0.0005662688974013381], [2.531777563270631e-6, 0.0005570369979869689]),
            (5_446, 10_000, [0.5348239776397539, 0.5543417697055817], [0.534777441204341, 0.554396570278527]),
            (9_999, 10_000, [0.9994337311025987, 0.9999823473263989], [0.999442963002013, 0.9999974682224367]),
            (30_000, 60_000, [0.4959993683365024, 0.5040006316634976], [0.49599098804358976, 0.5040090119564102]),
            (59_990, 60_000, [0.9996932033199932, 0.9999094644719171], [0.9996935154968231, 0.9999200740545443]),
        ];
        for (successes, trials, wilson, exact) in cases {
            let proportion = Proportion::new(successes, trials).expect("a proportion");
            let what = format!("{successes} of {trials}");
            assert_close(proportion.wilson(), wilson, &what);
            assert_close(proportion.clopper_pearson(), exact, &what);
        }
    }

    #[test]
    fn paired_tests_agree_with_scipy() {
        // p: scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue. Interval: the formula with scipy.stats.norm.ppf(0.975).
        let cases = [
            (0, 0, 100, 1.0, [-0.019215333181765236, 0.019215333181765236]),
            (5, 5, 10, 1.0, [-0.5417054282774408, 0.5417054282774408]),
            (3, 4, 10, 1.0, [-0.5428888930650054, 0.3762222263983388]),
            (1, 9, 50, 0.021484375, [-0.27165419414966874, -0.03603811354263897]),
            (30, 12, 1_000, 0.007915897334896727, [0.005185700259761261, 0.030742443452813586]),
            (0, 20, 10_000, 1.9073486328125e-6, [-0.002896733350260479, -0.0011024668097075272]),
            (512, 430, 10_000, 0.008277919871296693, [0.0021829919630723046, 0.01421372869279652]),
        ];
        for (first_only, second_only, images, p, interval) in cases {
            let paired = Paired { first_only, second_only, images };
            let what = format!("{paired:?}");
            assert!((paired.p_value() - p).abs() < 1e-9, "{what}: {} is not {p}", paired.p_value());
            assert_close(paired.difference(), interval, &what);
        }
    }

    #[test]
    fn only_what_both_have_is_compared() {
        let items = |right: &[(usize, bool)]| right.iter().copied().collect::<Items>();
        let first = items(&[(1, true), (2, true), (3, true), (4, false), (5, false), (9, false)]);
        let second = items(&[(0, true), (1, true), (2, false), (3, false), (4, true), (5, false)]);
        let paired = Paired { first_only: 2, second_only: 1, images: 5 };
        assert_eq!(on_common(&first, &second), Some((paired, [0.6, 0.4])));
        assert_eq!(on_common(&first, &items(&[(0, true)])), None);
        assert_eq!((Proportion::new(0, 0), Proportion::new(2, 1)), (None, None));
    }
}
