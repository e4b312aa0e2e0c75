//! How long the runs that are left will take.

use super::manifest::processor;
use super::walk::{Entry, Walk};
use std::collections::BTreeMap;

impl Walk<'_> {
    /// Seconds of the runs that are not there, on so many jobs: at the pace of the finished ones of their kind that this
    /// processor made, or else at that of the cost model.
    pub fn seconds_left(&self, jobs: usize) -> f64 {
        let processor = processor();
        let mut pace: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for entry in &self.entries {
            let Some(manifest) = entry.manifest().filter(|made| made.environment.processor == processor) else {
                continue;
            };
            let (kind, cost, _) = entry.cost;
            let (seconds, costs) = pace.entry(kind).or_default();
            *seconds += manifest.seconds;
            *costs += cost;
        }
        let left = |entry: &Entry| {
            let (kind, cost, usual) = entry.cost;
            let measured = pace.get(kind).filter(|(_, costs)| *costs > 0.0).map(|(seconds, costs)| seconds / costs);
            cost * measured.unwrap_or(usual)
        };
        let missing: Vec<f64> = self.entries.iter().filter(|entry| entry.manifest().is_none()).map(left).collect();
        // No run is made by two jobs.
        let longest = missing.iter().copied().fold(0.0, f64::max);
        (missing.iter().sum::<f64>() / jobs.max(1) as f64).max(longest)
    }
}

/// A time in words.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 129_600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
