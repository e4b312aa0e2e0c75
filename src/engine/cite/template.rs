//! Templates: `{mean:%}[ +- {std:%}]` is text with columns in it. What stands in brackets goes where one of its columns is empty.
//!
//! A column is `{NAME}`, or of several rows `{min(NAME)}`, `{max(NAME)}`, `{sum(NAME)}` or `{count()}`; then may follow a factor, as
//! in `{seconds*1000}`, and after a colon how a number is written:
//!
//! | | |
//! | --- | --- |
//! | `%`, `%1` | in percent, two decimals or so many |
//! | `.3` | so many decimals |
//! | `,` | whole, with commas between thousands |
//! | `e2`, `g2` | so many significant digits, with an exponent and without |
//! | `10^2` | the same of ten to that power |
//! | `time` | seconds as hours, minutes and seconds |
//!
//! A `+` before it writes the sign of positive numbers as well. Without anything the cell is shown as it is.

use super::rows::Rows;
use anyhow::{Context, Result, bail};

/// `SOURCE: TEMPLATE`, cut. A source may be missing.
pub fn parted(said: &str) -> (&str, &str) {
    let before = &said[..said.find(['{', '[']).unwrap_or(said.len())];
    before.find(": ").map_or(("", said), |colon| (&said[..colon], &said[colon + 2..]))
}

pub struct Template<'t>(pub &'t str);

impl Template<'_> {
    pub fn render(&self, rows: &Rows) -> Result<String> {
        let (mut text, mut rest) = (String::new(), self.0);
        while let Some((before, after)) = rest.split_once('[') {
            let (optional, after) = after.split_once(']').with_context(|| format!("{:?}: [ without ]", self.0))?;
            text += &required(before, rows)?;
            text += &filled(optional, rows)?.unwrap_or_default();
            rest = after;
        }
        Ok(text + &required(rest, rows)?)
    }
}

fn required(text: &str, rows: &Rows) -> Result<String> {
    let empty = || format!("{} is empty at {text:?}; where that may be, put it into [ ]", rows.source);
    filled(text, rows)?.with_context(empty)
}

/// The text with its columns; none where one of them is empty.
fn filled(text: &str, rows: &Rows) -> Result<Option<String>> {
    let (mut made, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').with_context(|| format!("{text:?}: {{ without }}"))?;
        let Some(shown) = shown(place, rows).with_context(|| format!("{{{place}}}"))? else { return Ok(None) };
        made += &format!("{before}{shown}");
        rest = after;
    }
    Ok(Some(made + rest))
}

fn shown(place: &str, rows: &Rows) -> Result<Option<String>> {
    let (value, style) = place.split_once(':').unwrap_or((place, ""));
    let (column, factor) = value.split_once('*').unwrap_or((value, "1"));
    let factor: f64 = factor.parse().with_context(|| format!("{factor:?} is no number"))?;
    let number = match column.strip_suffix(')').and_then(|column| column.split_once('(')) {
        Some((function, column)) => of_many(function, column, rows)?,
        None => match rows.cell(column)? {
            "" => return Ok(None),
            cell if style.is_empty() && factor == 1.0 => return Ok(Some(cell.to_string())),
            cell => Some(cell.parse().with_context(|| format!("{}: {cell:?} is no number", rows.source))?),
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
    let numbers = cells.map(|cell| cell.parse::<f64>().with_context(|| format!("{cell:?} is no number")));
    let numbers = numbers.collect::<Result<Vec<_>>>()?.into_iter();
    Ok(match function {
        "min" => numbers.reduce(f64::min),
        "max" => numbers.reduce(f64::max),
        "sum" => numbers.reduce(|sum, number| sum + number),
        _ => bail!("{function:?} is not known; use min, max, sum or count"),
    })
}

fn written(value: f64, style: &str) -> Result<String> {
    let (signed, style) = style.strip_prefix('+').map_or((false, style), |style| (true, style));
    let digits = |text: &str, usual: usize| match text {
        "" => Ok(usual),
        text => text.parse::<usize>().with_context(|| format!("{text:?} is no number of digits")),
    };
    let text = if style == "," || style.is_empty() {
        if style.is_empty() { format!("{value}") } else { grouped(&format!("{value:.0}")) }
    } else if style == "time" {
        time(value)
    } else if let Some(text) = style.strip_prefix("10^") {
        let exponent = value.floor();
        format!("{}e{exponent}", significant(10_f64.powf(value - exponent), digits(text, 1)?))
    } else if let Some(text) = style.strip_prefix('%') {
        format!("{:.*}", digits(text, 2)?, 100.0 * value)
    } else if let Some(text) = style.strip_prefix('.') {
        format!("{:.*}", digits(text, 2)?, value)
    } else if let Some(text) = style.strip_prefix('e') {
        format!("{:.*e}", digits(text, 1)?.saturating_sub(1), value)
    } else if let Some(text) = style.strip_prefix('g') {
        significant(value, digits(text, 2)?)
    } else {
        bail!("{style:?} is no way to write a number; use %, .2, a comma, e1, g2, 10^1 or time")
    };
    // What is rounded to nothing has no sign.
    let nothing = text.chars().all(|c| "-0.".contains(c));
    let text = if nothing { text.trim_start_matches('-').to_string() } else { text };
    Ok(if signed && !text.starts_with('-') { format!("+{text}") } else { text })
}

/// So many significant digits, without an exponent.
fn significant(value: f64, digits: usize) -> String {
    let rounded = format!("{:.*e}", digits.max(1) - 1, value);
    let exponent: i64 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let decimals = usize::try_from(digits as i64 - 1 - exponent).unwrap_or(0);
    let rounded: f64 = rounded.parse().unwrap_or(value);
    format!("{rounded:.decimals$}")
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let mut text = sign.to_string();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two units of time.
fn time(seconds: f64) -> String {
    match seconds.round() as u64 {
        whole @ ..60 => format!("{whole} s"),
        whole @ ..3600 => format!("{} min {} s", whole / 60, whole % 60),
        whole => format!("{} h {} min", (whole + 30) / 3600, (whole + 30) / 60 % 60),
    }
}
