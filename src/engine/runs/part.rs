//! Which runs of a plan this command makes: all, or those that fall to it where many machines share the work.

use clap::Args;
use std::str::FromStr;

/// See the top of this file. Who makes a run changes nothing about it, and locks are for a run, so parts may overlap.
#[derive(Debug, Clone, Default, Args)]
pub struct Part {
    /// Make the I-th of N parts of the runs, and write no pages: `report` does when all are finished
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Make only the runs of one stage, counted from 1; later stages build on the results of earlier ones
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub stage: Option<u16>,
    /// Make only these runs, by their names in `plan --format json` and `--format commands`
    #[arg(long, value_name = "RUN,..", value_delimiter = ',')]
    pub run: Vec<String>,
}

/// The I-th of N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: usize,
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("use I/N with I from 1 to N, as in 2/8".into()),
        }
    }
}

impl Part {
    /// Whether it is everything.
    pub fn is_all(&self) -> bool {
        self.shard.is_none() && self.stage.is_none() && self.run.is_empty()
    }

    /// Whether it has a run of a stage, by its name; stages are from 1. A run is in the same shard whatever else is planned:
    /// what a later stage asks for depends on what is finished.
    pub(super) fn has(&self, stage: usize, key: &str) -> bool {
        let place = u64::from_str_radix(&key[..key.len().min(8)], 16).unwrap_or(0);
        self.stage.is_none_or(|wanted| usize::from(wanted) == stage)
            && self.shard.is_none_or(|Shard { number, of }| place % of as u64 == number as u64 - 1)
            && (self.run.is_empty() || self.run.iter().any(|run| run == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_every_run_once() {
        let parts: Vec<Part> =
            (1..=3).map(|number| Part { shard: format!("{number}/3").parse().ok(), ..Part::default() }).collect();
        for place in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(1, &format!("{place:08x}ff"))).count(), 1);
        }
        for wrong in ["0/3", "4/3", "1", "1/0", "a/2", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
