//! Axes of the charts: ranges, scales and ticks.

/// Least room between two ticks of a scale that is not even, as a part of the axis.
const TICKS_APART: f64 = 0.055;
/// More ticks than any axis has.
const MOST_TICKS: usize = 1000;

/// How far apart equal differences are along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Widens the part near 0 as a logarithm does, but can show 0 itself.
    SquareRoot,
    Logarithmic,
    /// The values are decimal exponents, of which the root is shown on both sides of 0: ratios near 1 stay apart beside
    /// those of hundreds of powers of ten.
    Exponent,
    /// Names beside each other, at 0, 1, 2 and so on.
    Names,
}

/// One axis: its range, the values with a label on it, and its scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    pub scale: Scale,
}

impl Axis {
    /// Where a value lies on the axis, 0 at its start and 1 at its end.
    pub fn place(&self, value: f64) -> f64 {
        let turn = |value: f64| match self.scale {
            Scale::Linear | Scale::Names => value,
            Scale::Exponent => value.signum() * value.abs().sqrt(),
            Scale::SquareRoot => value.sqrt(),
            Scale::Logarithmic => value.log10(),
        };
        (turn(value) - turn(self.low)) / (turn(self.high) - turn(self.low))
    }

    /// With ticks at those values inside that are apart from all before them; the first count most.
    fn with_ticks(mut self, values: impl Iterator<Item = f64>, label: impl Fn(f64) -> String) -> Axis {
        let mut ticks: Vec<f64> = Vec::new();
        for value in values.filter(|value| (self.low..=self.high).contains(value)) {
            let apart = |other: &f64| (self.place(*other) - self.place(value)).abs() >= TICKS_APART;
            ticks.extend(ticks.iter().all(apart).then_some(value));
        }
        ticks.sort_by(f64::total_cmp);
        self.ticks = ticks.into_iter().map(|value| (value, label(value))).collect();
        self
    }
}

/// The largest of 1, 2 or 5 times a power of ten that gives at least `least` steps in `span`.
fn step(span: f64, least: f64) -> f64 {
    let rough = span / least;
    let power = 10f64.powf(rough.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|part| part * power).find(|&step| step <= rough * (1.0 + 1e-9)).unwrap_or(power)
}

fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    // What is no number, or endless, is refused elsewhere, but not before all axes are made.
    (first..=last).take(MOST_TICKS).map(move |index| index as f64 * step)
}

/// An axis of fractions in percent: close to the data, so that 99.2 % and 99.9 % are apart, and with so little room above
/// 100 % that nobody looks for a value there.
pub(super) fn percent_axis(values: impl Iterator<Item = f64>) -> Axis {
    let mut axis = close_axis(values.map(|value| 100.0 * value), 0.5);
    let room = 0.03 * (axis.high - axis.low) / 1.14;
    axis.ticks.retain(|(value, _)| (-1e-9..=100.0 + 1e-9).contains(value));
    axis.ticks.iter_mut().for_each(|(value, _)| *value /= 100.0);
    Axis { low: axis.low.max(-room) / 100.0, high: axis.high.min(100.0 + room) / 100.0, ..axis }
}

/// An axis close to any numbers, which spans at least so much.
pub(super) fn close_axis(values: impl Iterator<Item = f64>, least: f64) -> Axis {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let span = (high - low).max(least);
    let (middle, half) = ((low + high) / 2.0, 0.57 * span);
    let (low, high) = (middle - half, middle + half);
    let step = step(high - low, 5.0);
    let ticks = multiples(low, high, step).map(|value| (value, with_decimals(value, step))).collect();
    Axis { low, high, ticks, scale: Scale::Linear }
}

/// A multiple of a step with as many decimals as the step needs.
fn with_decimals(value: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    format!("{value:.decimals$}").replace('-', "\u{2212}")
}

/// A count as a tick label: 500, 2k, 1.5M.
pub(super) fn short_count(value: f64) -> String {
    // Ticks are multiples of round steps: what they have beyond three digits is rounding.
    match value {
        v if v >= 1e9 => significant(v),
        v if v >= 1e6 => format!("{}M", significant(v / 1e6)),
        v if v >= 1e3 => format!("{}k", significant(v / 1e3)),
        v => significant(v),
    }
}

/// An axis from 0 to the largest value.
pub(super) fn zero_axis(most: f64) -> Axis {
    let high = if most > 0.0 { most } else { 1.0 };
    let ticks = multiples(0.0, high, step(high, 4.0)).map(|value| (value, short_count(value))).collect();
    Axis { low: 0.0, high, ticks, scale: Scale::Linear }
}

/// An axis from 0 to the largest of the sizes that were measured, which come in growing order and are its ticks.
pub(super) fn size_axis(sizes: &[f64], scale: Scale) -> Axis {
    let high = sizes.last().copied().filter(|&size| size > 0.0).unwrap_or(1.0);
    let between = sizes.iter().copied().filter(|&size| size > 0.0 && size < high);
    let ticks = [0.0].into_iter().chain(between).chain([high]).map(|size| (size, significant(size))).collect();
    Axis { low: 0.0, high, ticks, scale }
}

/// An axis of decimal exponents.
pub(super) fn exponent_axis(values: impl Iterator<Item = f64>) -> Axis {
    let root = |value: f64| value.signum() * value.abs().sqrt();
    let (low, high) = values.map(root).fold((-0.5, 0.5), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let pad = 0.04 * (high - low);
    let square = |root: f64| root * root.abs();
    let axis = Axis { low: square(low - pad), high: square(high + pad), ticks: Vec::new(), scale: Scale::Exponent };
    let sizes = [0.0, 1000.0, 100.0, 10.0, 1.0, 500.0, 50.0, 5.0, 200.0, 20.0, 2.0];
    axis.with_ticks(sizes.into_iter().flat_map(|size| [size, -size]), scientific_power)
}

/// An axis from 0 that widens what is near 0, with room for a mark above the largest value.
pub(super) fn root_axis(most: f64) -> Axis {
    let high = if most > 0.0 { 1.15 * most } else { 1.0 };
    let axis = Axis { low: 0.0, high, ticks: Vec::new(), scale: Scale::SquareRoot };
    let sizes = [0.0, 100.0, 50.0, 10.0, 1.0, 20.0, 5.0, 2.0, 0.1, 0.5, 0.2, 30.0, 0.01, 0.05, 0.02];
    axis.with_ticks(sizes.into_iter(), significant)
}

/// An axis of names in their order.
pub(super) fn names_axis(names: &[String]) -> Axis {
    let ticks = names.iter().enumerate().map(|(place, name)| (place as f64, name.clone())).collect();
    Axis { low: -0.5, high: names.len() as f64 - 0.5, ticks, scale: Scale::Names }
}

/// A power of ten by its exponent: 1e5, 1e-8; 1 as it is.
fn scientific_power(power: f64) -> String {
    if power == 0.0 { "1".to_owned() } else { format!("1e{power}").replace('-', "\u{2212}") }
}

/// A number with three significant digits and no zeros behind them: 0.25, 0.0314, 1; from a million on 1.5e6.
pub fn significant(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1e6 {
        let text = format!("{value:.2e}");
        return text.replacen(".00e", "e", 1).replacen("0e", "e", usize::from(!text.contains(".00e")));
    }
    let power = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    let decimals = (2.0 - power).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A logarithmic axis with a margin on both sides; 2 and 5 are labelled too where powers of ten are few, further multiples
/// where these are few as well, and only some powers where they are many.
pub(super) fn log_axis(least: f64, most: f64) -> Axis {
    let many = least < 1e-4 || most / least > 1e7;
    let span = most.log10() - least.log10();
    let pad = (0.04 * span).max(1.8f64.log10());
    let (low, high) = (least.log10() - pad, most.log10() + pad);
    let values = |parts: &'static [f64], step: f64| {
        let powers = multiples(low.floor(), high, step);
        let all = powers.flat_map(|power| parts.iter().map(move |part| part * 10f64.powf(power)));
        all.filter(|value| (low..=high).contains(&value.log10())).collect::<Vec<f64>>()
    };
    let powers = values(&[1.0], if many { step(high - low, 5.0).max(1.0) } else { 1.0 });
    // One or two numbers say little about what lies between and beside them.
    let finer: [&'static [f64]; 2] = [&[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]];
    let shown = finer.into_iter().fold(powers, |shown, parts| if shown.len() < 3 { values(parts, 1.0) } else { shown });
    let label = |value: f64| if many { scientific(value) } else { short_count(value) };
    let ticks = shown.into_iter().map(|value| (value, label(value))).collect();
    Axis { low: 10f64.powf(low), high: 10f64.powf(high), ticks, scale: Scale::Logarithmic }
}

/// 1e5, 2e-8; 1 as it is.
fn scientific(value: f64) -> String {
    let power = (value.log10() + 1e-9).floor();
    let mantissa = (10.0 * value / 10f64.powf(power)).round() / 10.0;
    if power == 0.0 { mantissa.to_string() } else { format!("{mantissa}e{power}").replace('-', "\u{2212}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_accuracies_are_apart_and_nothing_lies_far_above_a_hundred() {
        let axis = percent_axis([0.992, 0.999].into_iter());
        assert!(axis.place(0.999) - axis.place(0.992) > 0.5);
        assert!(axis.high < 1.001 && axis.ticks.len() >= 3, "{axis:?}");
        let single = percent_axis([1.0].into_iter());
        assert!(single.low < 1.0 && single.high <= 1.001 && single.ticks.len() >= 3, "{single:?}");
        let wide = percent_axis([0.0, 1.0].into_iter());
        assert!(wide.ticks.len() <= 12 && wide.low <= 0.0, "{wide:?}");
        let signed: Vec<String> =
            close_axis([-0.4, 0.2].into_iter(), 0.0).ticks.into_iter().map(|tick| tick.1).collect();
        assert_eq!(signed, ["\u{2212}0.4", "\u{2212}0.3", "\u{2212}0.2", "\u{2212}0.1", "0.0", "0.1", "0.2"]);
    }

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.0, 0.25, 8.0 / 255.0, 1.0, 1.5, 12.345, 250.0].map(significant);
        assert_eq!(shown, ["0", "0.25", "0.0314", "1", "1.5", "12.3", "250"]);
        let large = [999_999.0, 1e6, 1.5e6, 1.25e16, -2e300, f64::INFINITY].map(significant);
        assert_eq!(large, ["999999", "1e6", "1.5e6", "1.25e16", "-2e300", "inf"]);
        assert_eq!([1.2e6, 3e9].map(short_count), ["1.2M", "3e9"]);
    }

    #[test]
    fn ticks_are_round_numbers_on_every_axis() {
        let most = (-4..9).flat_map(|power| [1.0, 1.3, 2.0, 3.7, 6.0, 9.9].map(|part| part * 10f64.powi(power)));
        for most in most {
            let (log, wide) = (log_axis(most / 50.0, most), log_axis(1e-9 * most, most));
            let percent = percent_axis([0.0, (most / 1e9).min(1.0)].into_iter());
            for ratio in [1.0, 1.3, 3.0, 30.0] {
                assert!(log_axis(most / ratio, most).ticks.len() >= 3, "{most} {ratio}");
            }
            for axis in [zero_axis(most), log, wide, percent] {
                assert!(axis.ticks.iter().all(|(value, _)| (-1e-9..=1.0 + 1e-9).contains(&axis.place(*value))));
                let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
                assert!(labels.iter().all(|label| label.len() <= 9), "{labels:?}");
                assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
            }
        }
        let fifths: Vec<String> = zero_axis(1.0).ticks.into_iter().map(|(_, label)| label).collect();
        assert_eq!(fifths, ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    }

    #[test]
    fn an_axis_of_exponents_shows_hundreds_of_powers_and_what_is_near_one() {
        let axis = exponent_axis([-156.0, 0.001, 4.0, 441.0].into_iter());
        assert!(axis.place(4.0) - axis.place(0.0) > 0.05 && axis.place(441.0) < 1.0 && axis.place(-156.0) > 0.0);
        let labels: Vec<&str> = axis.ticks.iter().map(|tick| tick.1.as_str()).collect();
        assert!(labels.contains(&"1") && labels.contains(&"1e100") && labels.contains(&"1e\u{2212}100"), "{labels:?}");
        assert!(exponent_axis([0.0].into_iter()).ticks.len() == 1 && root_axis(30.0).ticks.len() > 4);
    }

    #[test]
    fn counts_have_short_labels() {
        let label = |axis: Axis| axis.ticks.into_iter().map(|(_, label)| label).collect::<Vec<String>>();
        assert_eq!(label(zero_axis(40000.0)), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(label(log_axis(1000.0, 300000.0)), ["1k", "10k", "100k"]);
        assert_eq!(label(log_axis(40000.0, 50000.0)), ["30k", "40k", "50k", "60k", "70k", "80k", "90k"]);
        let tiny = ["1.5e\u{2212}8", "2e\u{2212}8", "3e\u{2212}8", "4e\u{2212}8", "5e\u{2212}8"];
        assert_eq!(label(log_axis(2e-8, 3e-8)), tiny);
        assert_eq!(label(log_axis(1.0, 1.0)), ["0.6", "0.7", "0.8", "0.9", "1", "1.5"]);
        assert_eq!(label(zero_axis(0.0)).first().map(String::as_str), Some("0"));
    }
}
