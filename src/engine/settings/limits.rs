//! Bounds of the numbers that all experiment files have, as a run's directory and its weights in f32 can take them.

use anyhow::{Result, anyhow, ensure};

/// Learning rates outside are 0 or infinite in the f32 of the weights, or soon make them so.
const RATES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;
/// A number whose decimal digits are more is written with an exponent.
const DIGITS: usize = 24;
/// More optimizer steps than anybody waits for; products with it stay integers.
pub const MOST_STEPS: usize = 1_000_000_000;
/// More networks, recipes or other items with names than anybody compares.
pub const MOST_ITEMS: usize = 1000;
/// More runs than anybody waits for. Every one of them is described before the first is made.
pub const MOST_RUNS: usize = 100_000;
/// More repetitions than anybody waits for.
pub const MOST_SEEDS: usize = 1000;
/// More passes over a data set than anybody waits for.
pub const MOST_EPOCHS: usize = 1_000_000;
/// More items of any other kind than anybody waits for.
pub const MOST: usize = 1_000_000_000;

/// Why nothing can be trained with a learning rate, if so: what should be used.
pub fn rate_cure(rate: f64) -> Option<&'static str> {
    if !(rate > 0.0 && rate.is_finite()) {
        return Some("use a positive number");
    }
    (!RATES.contains(&rate)).then_some("use a number from 1e-30 to 1e30")
}

/// A number in the name of a run or a message: in decimals, as it always was, unless these are many.
pub fn number(value: f64) -> String {
    let decimals = value.to_string();
    if decimals.len() > DIGITS { format!("{value:e}") } else { decimals }
}

/// Refuses what has a problem, with the words before it.
pub fn refuse(before: &str, problem: Option<String>) -> Result<()> {
    problem.map_or(Ok(()), |problem| Err(anyhow!("{before}{problem}")))
}

/// A learning rate with which nothing can be trained, and what should be used.
pub fn rate_problem(rate: f64) -> Option<String> {
    Some(format!("{}; {}", number(rate), rate_cure(rate)?))
}

/// Checks a number of things to be made or looked at.
pub fn check_count(experiment: &str, key: &str, value: usize, most: usize) -> Result<()> {
    ensure!(value >= 1, "{experiment}: {key} is {value}; use at least 1");
    ensure!(value <= most, "{experiment}: {key} is {value}; use at most {most}");
    Ok(())
}

/// Checks that a list has each of its values once.
pub fn check_once<T: PartialEq>(experiment: &str, key: &str, values: &[T]) -> Result<()> {
    let twice = values.iter().enumerate().any(|(place, value)| values[..place].contains(value));
    ensure!(!twice, "{experiment}: {key} has a value twice; name each once");
    Ok(())
}

/// Checks how many runs are asked for, before any of them is described.
pub fn check_runs(experiment: &str, runs: usize) -> Result<()> {
    ensure!(
        runs <= MOST_RUNS,
        "{experiment}: that is {runs} runs; use at most {MOST_RUNS}: fewer rates, seeds or sizes"
    );
    Ok(())
}

/// Checks an accuracy or another part of a whole.
pub fn check_fraction(origin: &str, key: &str, value: Option<f64>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let fits = (0.0..=1.0).contains(&value);
    ensure!(fits, "{origin}: {key} is {}; use a fraction from 0 to 1", number(value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_short_and_usual_ones_stay_as_they_are() {
        let cases = [(0.05, "0.05"), (0.0005, "0.0005"), (1e20, "100000000000000000000"), (1e300, "1e300")];
        for (value, text) in cases.into_iter().chain([(1e-320, "1e-320"), (0.1 + 0.2, "0.30000000000000004")]) {
            assert_eq!(number(value), text);
        }
        for value in [f64::MIN_POSITIVE, f64::MAX, 1.0 / 3.0 * 1e-200, -5e-324] {
            assert!(number(value).len() <= 24, "{}", number(value));
        }
    }

    #[test]
    fn rates_that_f32_cannot_hold_are_refused() {
        assert_eq!([1e-30, 0.05, 1e30].map(rate_cure), [None; 3]);
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(rate_cure), [Some("use a positive number"); 4]);
        assert_eq!([1e-320, 1e300].map(rate_cure), [Some("use a number from 1e-30 to 1e30"); 2]);
    }
}
