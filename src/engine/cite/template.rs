//! Templates: `{mean:%}[ +- {std:%}]` is text with columns in it. What stands in brackets goes where one of its columns is empty.
//!
//! A column is `{NAME}`, or of several rows `{min(NAME)}`, `{max(NAME)}`, `{sum(NAME)}`, `{mean(NAME)}` or `{count()}`; then may
//! follow a factor, as in `{seconds*1000}`, and after a colon how a number is written:
//!
//! | | |
//! | --- | --- |
//! | `%`, `%1` | in percent, two decimals or so many |
//! | `.3` | so many decimals |
//! | `,` | whole, with commas between thousands |
//! | `e2`, `g2` | so many significant digits, with an exponent and without |
//! | `time` | seconds as hours, minutes and seconds |
//!
//! A `+` before it writes the sign of positive numbers as well. Without anything the cell is shown as it is.

use super::rows::Rows;
use anyhow::{Context, Result, bail};
use indicatif::HumanFloatCount;

/// Most digits of a number: what is beyond says nothing, and far beyond it the standard library panics.
const MOST_DIGITS: usize = 40;

/// `SOURCE: TEMPLATE`, cut. A source may be missing.
pub fn parted(said: &str) -> (&str, &str) {
    let before = &said[..said.find(['{', '[']).unwrap_or(said.len())];
    before.find(": ").map_or(("", said), |colon| (&said[..colon], &said[colon + 2..]))
}

/// Checks what can be checked of a template without rows: brackets, factors, and how numbers are written.
pub fn check_template(template: &str) -> Result<()> {
    parts(template)?.into_iter().try_for_each(|(text, _)| places(text).map(|_| ()))
}

/// The template with the columns of rows.
pub fn render(template: &str, rows: &Rows) -> Result<String> {
    let mut made = String::new();
    for (text, optional) in parts(template)? {
        match filled(text, rows)? {
            Some(text) => made += &text,
            None if optional => {}
            None => bail!("{} is empty at {text:?}; where that may be, put it into [ ]", rows.source),
        }
    }
    Ok(made)
}

/// The parts of a template in order, each with whether it stood in brackets.
fn parts(template: &str) -> Result<Vec<(&str, bool)>> {
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once('[') {
        let (optional, after) = after.split_once(']').with_context(|| format!("{template:?}: [ without ]"))?;
        parts.extend([(before, false), (optional, true)]);
        rest = after;
    }
    parts.push((rest, false));
    Ok(parts)
}

/// The columns in a text, each with the text before it, and the text behind the last.
fn places(text: &str) -> Result<(Vec<[&str; 2]>, &str)> {
    let (mut places, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').with_context(|| format!("{text:?}: {{ without }}"))?;
        described(place).with_context(|| format!("{{{place}}}"))?;
        places.push([before, place]);
        rest = after;
    }
    Ok((places, rest))
}

/// The column of a place, the factor of its numbers, and how they are written.
fn described(place: &str) -> Result<(&str, f64, &str)> {
    let (value, style) = place.split_once(':').unwrap_or((place, ""));
    let (column, factor) = value.split_once('*').unwrap_or((value, "1"));
    let factor: f64 = factor.parse().with_context(|| format!("{factor:?} is not a number"))?;
    written(0.0, style)?;
    Ok((column, factor, style))
}

/// The text with its columns; none where one of them is empty.
fn filled(text: &str, rows: &Rows) -> Result<Option<String>> {
    let mut made = String::new();
    let (places, rest) = places(text)?;
    for [before, place] in places {
        let shown = shown(place, rows).with_context(|| format!("{{{place}}}"))?;
        let Some(shown) = shown else { return Ok(None) };
        made += &format!("{before}{shown}");
    }
    Ok(Some(made + rest))
}

fn shown(place: &str, rows: &Rows) -> Result<Option<String>> {
    let (column, factor, style) = described(place)?;
    let number = match column.strip_suffix(')').and_then(|column| column.split_once('(')) {
        Some((function, column)) => of_many(function, column, rows)?,
        None => match rows.cell(column)? {
            "" => return Ok(None),
            cell if style.is_empty() && factor == 1.0 => return Ok(Some(cell.to_string())),
            cell => Some(cell.parse().with_context(|| format!("{}: {cell:?} is not a number", rows.source))?),
        },
    };
    number.map(|number| written(number * factor, style)).transpose()
}

/// A number made of those in a column; none where all cells are empty.
fn of_many(function: &str, column: &str, rows: &Rows) -> Result<Option<f64>> {
    if function == "count" {
        return Ok(Some(rows.rows.len() as f64));
    }
    let cells = rows.column(column)?.into_iter().filter(|cell| !cell.is_empty());
    let numbers = cells.map(|cell| cell.parse::<f64>().with_context(|| format!("{cell:?} is not a number")));
    let numbers = numbers.collect::<Result<Vec<_>>>()?;
    let count = numbers.len() as f64;
    let numbers = numbers.into_iter();
    Ok(match function {
        "min" => numbers.reduce(f64::min),
        "max" => numbers.reduce(f64::max),
        "sum" => numbers.reduce(|sum, number| sum + number),
        "mean" => numbers.reduce(|sum, number| sum + number).map(|sum| sum / count),
        _ => bail!("{function:?} is not known; use min, max, sum, mean or count"),
    })
}

fn written(value: f64, style: &str) -> Result<String> {
    let (signed, style) = style.strip_prefix('+').map_or((false, style), |style| (true, style));
    let digits = |text: &str, usual: usize| match text {
        "" => Ok(usual),
        text => {
            let digits = text.parse::<usize>().ok().filter(|digits| *digits <= MOST_DIGITS);
            digits.with_context(|| format!("{text:?} is not a valid number of digits; use at most {MOST_DIGITS}"))
        }
    };
    let text = match (style, style.split_at_checked(1)) {
        ("", _) => format!("{value}"),
        (",", _) => format!("{:.0}", HumanFloatCount(value)),
        ("time", _) => time(value),
        (_, Some(("%", text))) => format!("{:.*}", digits(text, 2)?, 100.0 * value),
        (_, Some((".", text))) => format!("{:.*}", digits(text, 2)?, value),
        (_, Some(("e", text))) => format!("{:.*e}", digits(text, 1)?.saturating_sub(1), value),
        (_, Some(("g", text))) => significant(value, digits(text, 2)?),
        _ => bail!("{style:?} is not a number format; use %, .2, a comma, e1, g2 or time"),
    };
    // What is rounded to nothing has a sign only where one is asked for: there it tells on which side of 0 a bound lies.
    let nothing = text.chars().all(|c| "-0.".contains(c));
    let text = if nothing { text.trim_start_matches('-').to_string() } else { text };
    Ok(match value {
        _ if !signed || text.starts_with('-') => text,
        0.0 => text,
        _ if value < 0.0 => format!("-{text}"),
        _ => format!("+{text}"),
    })
}

/// So many significant digits, without an exponent.
fn significant(value: f64, digits: usize) -> String {
    let rounded = format!("{:.*e}", digits.max(1) - 1, value);
    let exponent: i64 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let decimals = usize::try_from(digits as i64 - 1 - exponent).unwrap_or(0);
    let rounded: f64 = rounded.parse().unwrap_or(value);
    format!("{rounded:.decimals$}")
}

/// Two units of time.
fn time(seconds: f64) -> String {
    match seconds.round() as u64 {
        whole @ ..60 => format!("{whole} s"),
        whole @ ..3600 => format!("{} min {} s", whole / 60, whole % 60),
        whole => {
            let rounded = whole.saturating_add(30);
            format!("{} h {} min", rounded / 3600, rounded / 60 % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(cell: &str) -> Rows {
        Rows {
            source: "a.csv".into(),
            header: vec!["a".into(), "b".into()],
            rows: vec![vec![cell.into(), String::new()]],
            nothing: None,
        }
    }

    #[test]
    fn a_template_that_cannot_be_filled_from_any_row_is_known_without_rows() {
        for template in ["{a:.70000}", "{a:e41}", "{a:%x}", "{a", "[{a}", "{a*x}", "{a:?}"] {
            assert!(check_template(template).is_err(), "{template}");
        }
        for template in ["", "{a:.40}", "{a:+%1}[ +- {b:e2}]", "{max(a)*100:g2} {count()} {a:time} {a:,}"] {
            assert!(check_template(template).is_ok(), "{template}");
        }
        let told = format!("{:#}", check_template("{a:.41}").expect_err("41 digits"));
        assert_eq!(told, "{a:.41}: \"41\" is not a valid number of digits; use at most 40");
    }

    #[test]
    fn many_rows_make_one_number_and_empty_cells_none() {
        let cells = ["4", "", "1"].map(|cell| vec![cell.to_string(), String::new()]).to_vec();
        let rows = Rows { rows: cells, ..rows("") };
        let shown = render("{min(a)} {max(a)} {sum(a)} {mean(a):.1} {count()}[ {mean(b)}]", &rows);
        assert_eq!(shown.expect("numbers"), "1 4 5 2.5 3");
        assert!(render("{median(a)}", &rows).is_err());
    }

    #[test]
    fn a_sign_is_that_of_the_number_and_not_of_its_digits() {
        for (value, style, shown) in [
            (-0.0004, "+.3", "-0.000"),
            (0.0004, "+.3", "+0.000"),
            (0.0, "+.3", "0.000"),
            (-0.0004, ".3", "0.000"),
            (-0.0159, "+.3", "-0.016"),
            (1.5, "+%", "+150.00"),
            (-0.00001, "+%", "-0.00"),
            (1234.9, ",", "1,235"),
            (-999.6, ",", "-1,000"),
            (-1234.0, "+,", "-1,234"),
        ] {
            assert_eq!(written(value, style).expect("a style"), shown, "{value} {style}");
        }
    }

    proptest! {
        #![proptest_config(crate::same_cases())]

        #[test]
        fn no_template_on_any_row_is_a_panic(template in "[\\[\\]{}ab:.%+eg10*,()a-z ]{0,30}", cell in any::<f64>()) {
            let rendered = render(&template, &rows(&cell.to_string()));
            if check_template(&template).is_err() {
                prop_assert!(rendered.is_err(), "{template}");
            }
        }

        #[test]
        fn every_style_writes_every_number(value in any::<f64>(), digits in 0_usize..=40) {
            for style in [",".into(), "time".into(), format!("%{digits}"), format!(".{digits}"), format!("e{digits}"),
                format!("+g{digits}")] {
                let text = written(value, &style);
                prop_assert!(text.is_ok_and(|text| text.len() < 800), "{value} {style}");
            }
        }
    }
}
