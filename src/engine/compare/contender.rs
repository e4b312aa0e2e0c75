//! What an experiment offers for comparison: the scores of every seed, what they were measured on, and with which settings.

use crate::engine::rows::{Figure, Items, Scored};
use crate::engine::runs::{FinishedRun, Spec};
use crate::engine::settings::{ProfileName, get, keys, to_table};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// The values that keys of `config.toml` have in some runs.
pub type Config = BTreeMap<String, BTreeSet<String>>;

/// Keys that name a run and change nothing about it by themselves.
const IDENTITY: [&str; 3] = ["experiment", "arm", "seed"];

/// A network or method under one setting.
#[derive(Default)]
pub struct Contender {
    pub arm: String,
    /// How it was trained, where there are several ways: `tuned`, `tuned/lr0.05`.
    pub setting: String,
    /// The name of what it was scored on.
    pub data: String,
    /// Whether it is compared only where it is named: one of many learning rates.
    pub on_demand: bool,
    pub series: Vec<Series>,
    /// Of its runs.
    pub config: Config,
    /// The part of it that says what the runs were trained and scored on.
    pub data_config: Config,
    /// Hashes of the data by seed.
    pub data_hashes: BTreeMap<u64, BTreeSet<String>>,
    /// The profile of the command that made its runs, where that is known.
    pub profile: Option<ProfileName>,
}

impl Contender {
    /// Without scores or runs yet.
    pub fn new(arm: &str, setting: &str, data: &str) -> Self {
        Self { arm: arm.into(), setting: setting.into(), data: data.into(), ..Self::default() }
    }

    /// Adds the settings of a run; the values below the key `data` say what it was trained and scored on. Keys in `without`
    /// say nothing about the contender.
    pub fn add<S: Spec>(&mut self, run: &FinishedRun<S>, data: &[&str], without: &[&str]) -> Result<()> {
        let mut table = to_table(&run.spec.essence())?;
        table.retain(|key, _| !IDENTITY.contains(&key) && !without.contains(&key));
        for key in keys(&table) {
            let is_data = data.contains(&key.split('.').next().unwrap_or_default());
            let config = if is_data { &mut self.data_config } else { &mut self.config };
            let value = get(&table, &key).map(text).unwrap_or_default();
            config.entry(key).or_default().insert(value);
        }
        self.data_hashes.entry(run.spec.seed().0).or_default().insert(run.manifest.data_hash.clone());
        Ok(())
    }

    /// As it is named on a command line, after the experiment.
    pub fn name(&self) -> String {
        if self.setting.is_empty() { self.arm.clone() } else { format!("{}/{}", self.arm, self.setting) }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// One figure of all seeds.
pub struct Series {
    pub metric: String,
    /// Of an attack or certificate, or nothing.
    pub norm: String,
    /// Size of the ball, or radius.
    pub epsilon: Option<f64>,
    pub unit: Unit,
    pub better: Better,
    /// By seed; none where training diverged.
    pub values: BTreeMap<u64, Option<f64>>,
    /// What came out right, by seed, where it is known of single items; then they are compared one by one.
    pub items: BTreeMap<u64, Items>,
}

/// What a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, shown in percent.
    Percent,
    /// A number in this unit.
    Number(&'static str),
}

/// Which of two values is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

impl Series {
    /// A figure that is better the higher it is, a fraction.
    pub fn new(metric: &str, values: impl IntoIterator<Item = (u64, Option<f64>)>) -> Self {
        Self {
            metric: metric.into(),
            norm: String::new(),
            epsilon: None,
            unit: Unit::Percent,
            better: Better::Higher,
            values: values.into_iter().collect(),
            items: BTreeMap::new(),
        }
    }

    /// The same of a figure of tables.
    pub fn of(metric: &str, scored: &Scored, figure: &Figure) -> Self {
        let (norm, epsilon) = (figure.norm.clone(), figure.epsilon.parse().ok());
        Self { norm, epsilon, ..Self::new(metric, scored.values(figure)) }
    }

    /// The same in another unit.
    #[must_use]
    pub fn with(self, unit: Unit, better: Better) -> Self {
        Self { unit, better, ..self }
    }

    /// Whether both are of the same figure.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.metric, &self.norm, self.epsilon, self.unit) == (&other.metric, &other.norm, other.epsilon, other.unit)
    }
}
