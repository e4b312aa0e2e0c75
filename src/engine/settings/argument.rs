//! Flags of experiment files as clap takes them.

use super::file::File;
use super::flags::{Flag, Takes, sized};
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, value_parser};
use std::fmt::Display;
use std::str::FromStr;

impl<F: File> Flag<F> {
    /// The flag for a command line. Its values are kept as they were typed: a number of the file may have any size.
    pub fn argument(&'static self) -> Arg {
        let mut arg = Arg::new(self.name).long(self.name).help(self.help).value_name(self.value);
        if self.many {
            arg = arg.value_delimiter(',');
        }
        if let Some(other) = self.conflicts {
            arg = arg.conflicts_with(other);
        }
        if matches!(self.takes, Takes::Switch) {
            arg = arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true");
        } else {
            // So that a negative number is refused by the name of its flag.
            arg = arg.allow_negative_numbers(true).allow_hyphen_values(matches!(self.takes, Takes::Checked(_)));
        }
        arg.value_parser(self.takes.parser())
    }
}

impl Takes {
    fn parser(self) -> ValueParser {
        match self {
            Self::Count => typed::<u64>.into(),
            Self::Positive => (|text: &str| match text.parse::<u64>() {
                Ok(number) if number > 0 => Ok(text.to_string()),
                _ => Err("use a positive number".to_string()),
            })
            .into(),
            Self::Number => typed::<f64>.into(),
            Self::Text => value_parser!(String),
            Self::Word(words) => PossibleValuesParser::new(words()).into(),
            Self::Checked(check) => (move |text: &str| check(text).map(|()| text.to_string())).into(),
            Self::Switch => PossibleValuesParser::new(["true", "false"]).into(),
            Self::Sizes => (|text: &str| sized(text, 1).map(|_| text.to_string())).into(),
            Self::Counts => (|text: &str| sized(text, 0).map(|_| text.to_string())).into(),
        }
    }
}

fn typed<T: FromStr<Err: Display>>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_string()).map_err(|error| error.to_string())
}
