//! The rows of a comparison's CSV files.

use super::pair::{Comparison, Pair};
use crate::engine::rows::Differences;
use serde::Serialize;

/// `tables/compare-..csv`: a figure of A minus that of B over the seeds that both have.
pub type FigureRow = (Names, Sides, Differences);

/// What is compared.
#[derive(Clone, Serialize)]
pub struct Names {
    experiment: String,
    data: String,
    a: String,
    b: String,
    metric: String,
    /// Of an attack or certificate, or nothing.
    norm: String,
    /// Size of the ball, or radius.
    epsilon: Option<f64>,
}

/// Both sides.
#[derive(Serialize)]
pub struct Sides {
    /// Mean over the common seeds.
    mean_a: f64,
    mean_b: f64,
    /// Seeds that only A has.
    only_a: usize,
    only_b: usize,
    /// Seeds of both that diverged in A.
    diverged_a: usize,
    diverged_b: usize,
}

/// `tables/compare-..-seeds.csv`: what one seed scored, and where single images are known, how they fell.
pub type SeedRow = (Names, SeedColumns);

#[derive(Serialize)]
pub struct SeedColumns {
    seed: u64,
    value_a: f64,
    value_b: f64,
    /// A minus B.
    difference: f64,
    /// Images that A alone gets right.
    a_only: Option<u64>,
    b_only: Option<u64>,
    /// Images of both.
    n: Option<u64>,
    /// 95 % interval over images (Agresti and Min).
    difference_low: Option<f64>,
    difference_high: Option<f64>,
    /// McNemar's exact test, two-sided.
    p_value: Option<f64>,
}

/// The rows of a pair: over seeds, and of every seed.
pub fn of(experiment: &str, pair: &Pair<'_>, shown: &[String; 2]) -> (Vec<FigureRow>, Vec<SeedRow>) {
    let names = |figure: &Comparison| Names {
        experiment: experiment.into(),
        data: pair.sides[0].data.clone(),
        a: shown[0].clone(),
        b: shown[1].clone(),
        metric: figure.metric.clone(),
        norm: figure.norm.clone(),
        epsilon: figure.epsilon,
    };
    let over_seeds = |figure: &Comparison| {
        let sides = Sides {
            mean_a: figure.mean(0),
            mean_b: figure.mean(1),
            only_a: pair.alone[0].len(),
            only_b: pair.alone[1].len(),
            diverged_a: figure.diverged[0],
            diverged_b: figure.diverged[1],
        };
        (names(figure), sides, Some(figure.difference).into())
    };
    let seeds = pair.figures.iter().flat_map(|figure| seed_columns(figure).map(|columns| (names(figure), columns)));
    (pair.figures.iter().map(over_seeds).collect(), seeds.collect())
}

fn seed_columns(figure: &Comparison) -> impl Iterator<Item = SeedColumns> {
    figure.seeds.iter().map(|pair| {
        let interval = pair.items.map(|items| items.difference());
        SeedColumns {
            seed: pair.seed,
            value_a: pair.values[0],
            value_b: pair.values[1],
            difference: pair.values[0] - pair.values[1],
            a_only: pair.items.map(|items| items.first_only),
            b_only: pair.items.map(|items| items.second_only),
            n: pair.items.map(|items| items.images),
            difference_low: interval.map(|(low, _)| low),
            difference_high: interval.map(|(_, high)| high),
            p_value: pair.items.map(|items| items.p_value()),
        }
    })
}
