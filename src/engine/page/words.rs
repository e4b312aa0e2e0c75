//! Numbers in the words of tables and sentences, and sentences in lines.

use crate::engine::rows::Sample;

/// A number of things, in words: `1 seed`, `2 seeds`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Things in a sentence: `a`, `a and b`, `a, b and c`.
pub fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    match things.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Runs whose settings are not known before others have ended.
pub fn following(count: usize) -> String {
    format!("{} follow{}", counted(count, "run"), if count == 1 { "s" } else { "" })
}

/// How many of some seeds have no value: `1 of 5 diverged`; nothing of none.
pub fn diverged(count: usize, seeds: usize) -> String {
    if count == 0 { String::new() } else { format!("{count} of {seeds} diverged") }
}

/// A part of a whole in percent.
pub fn percent(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{:.2}", 100.0 * value))
}

/// From here on a number's last digits say nothing.
const LARGE: f64 = 1e6;

/// A number with so many decimals, a large one with its power of ten: 0.1234, 1.00e16.
pub fn decimals(value: f64, places: usize) -> String {
    if value.abs() < LARGE { format!("{value:.places$}") } else { format!("{value:.2e}") }
}

/// The same with its sign.
pub fn signed(value: f64, places: usize) -> String {
    if value.abs() < LARGE { format!("{value:+.places$}") } else { format!("{value:+.2e}") }
}

/// Mean and standard deviation in percent; the mean alone of a single value.
pub fn spread(sample: Option<Sample>) -> String {
    spread_as(sample, hundredth)
}

/// The 95 % interval of a mean difference in percent.
pub fn interval(sample: Option<Sample>) -> String {
    interval_as(sample, hundredth)
}

/// That of a mean part of a whole, cut where no part can be.
pub fn interval_of_fractions(sample: Option<Sample>) -> String {
    interval_as(sample, |end| hundredth(end.clamp(0.0, 1.0)))
}

fn hundredth(part: f64) -> String {
    percent(Some(part))
}

/// Mean and standard deviation as `show` writes them; the mean alone of a single value, a dash without one.
pub fn spread_as(sample: Option<Sample>, show: fn(f64) -> String) -> String {
    let Some(Sample { mean, deviation, .. }) = sample else { return "-".into() };
    deviation.map_or_else(|| show(mean), |deviation| format!("{} +- {}", show(mean), show(deviation)))
}

/// The 95 % interval of the mean as `show` writes its ends; a dash without one.
pub fn interval_as(sample: Option<Sample>, show: fn(f64) -> String) -> String {
    let interval = sample.and_then(|sample| sample.confidence_interval());
    interval.map_or("-".into(), |(low, high)| format!("{} to {}", show(low), show(high)))
}

/// Lines of at most so many characters, broken between words.
pub fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return format!("{text}\n") };
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let fits = line.chars().count() + word.chars().count() < width;
        if !line.is_empty() && !fits {
            lines += &format!("{line}\n");
            line = format!("  {word}");
        } else {
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_their_number() {
        assert_eq!([0, 1, 2].map(following), ["0 runs follow", "1 run follows", "2 runs follow"]);
        let told = [&[][..], &[10], &[10, 30], &[10, 30, 100]].map(listed);
        assert_eq!(told, ["", "10", "10 and 30", "10, 30 and 100"]);
    }

    #[test]
    fn large_numbers_have_their_power_of_ten() {
        let told = [0.12344, -3.0, 999_999.0, 1e6, -1.25e16].map(|value| decimals(value, 4));
        assert_eq!(told, ["0.1234", "-3.0000", "999999.0000", "1.00e6", "-1.25e16"]);
        assert_eq!([1e16, -0.5].map(|value| signed(value, 4)), ["+1.00e16", "-0.5000"]);
    }
}
