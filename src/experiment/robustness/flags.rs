//! The flags over the experiment file.

use super::file::{RobustnessFile, ThreatFile};
use super::spec::Precision;
use crate::data::source::Dataset;
use crate::engine::settings::{Flag, Takes, choices};
use crate::evaluate::attack::{Attack, Norm};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

pub(super) const FLAGS: &[Flag<RobustnessFile>] = &[
    Flag::key("dataset", "NAME", Takes::Checked(dataset), &["data.dataset"], "mnist or fashion-mnist"),
    Flag::WIDTH,
    Flag::DEPTH,
    Flag::key("epochs", "N", Takes::Count, &["recipe.*.epochs"], "Passes over the training images"),
    Flag::SEEDS,
    Flag::FIRST_SEED,
    // Before the sizes of its ball.
    Flag::function("norm", "NORM", Takes::Word(choices::<Norm>), keep_norm, "Attack only in this norm [default: both]"),
    Flag::function(
        "eps",
        "EPS,..",
        Takes::Checked(|text| sizes(text).map(drop)),
        |file, text| change_sizes(file, text, |threat| &mut threat.eps),
        "Sizes of the ball at which every attack is made, in --norm, or in Linf if none is given; pixels are in 0 to 1. \
         Numbers such as 0.05 or quotients such as 8/255; in an experiment file numbers alone",
    ),
    Flag::function(
        "sweep",
        "EPS,..|off",
        Takes::Checked(|text| if text == "off" { Ok(()) } else { sizes(text).map(drop) }),
        change_sweep,
        "Sizes of the ball for the charts, likewise; off for none",
    ),
    Flag::key(
        "attacks",
        "ATTACK,..",
        Takes::Word(choices::<Attack>),
        &["attack.attacks"],
        "Attacks at every size of --eps; auto is the standard cascade of AutoAttack",
    )
    .many(),
    Flag::key(
        "n",
        "N",
        Takes::Count,
        &["attack.images", "arm.*.images"],
        "Test images that are attacked, chosen at random",
    ),
    Flag::key(
        "checklist",
        "N",
        Takes::Count,
        &["attack.checklist_images"],
        "Images for the checklist for hidden gradients, which is run only for the first seed; 0 for none",
    ),
    Flag::key("certify", "BOOL", Takes::Switch, &["attack.certify"], "Whether to certify radii [default: true]"),
    Flag::key(
        "steps",
        "N",
        Takes::Count,
        &["attack.effort.steps"],
        "Steps of iterative attacks; deepfool, the bisection and most of the checklist have their own",
    ),
    Flag::key(
        "restarts",
        "N",
        Takes::Count,
        &["attack.effort.restarts"],
        "Runs of pgd, mt-pgd, apgd and fab-t for each loss or class, all but the first from random points; auto makes one",
    ),
    Flag::key("queries", "N", Takes::Count, &["attack.effort.queries"], "Proposals of Square"),
    Flag::key(
        "precision",
        "NUMBERS",
        Takes::Word(choices::<Precision>),
        &["attack.precision"],
        "Floating-point type in which networks compute under attack [default: f32]; f64 to compare with other programs, \
         whose rounding differs",
    ),
];

fn dataset(name: &str) -> Result<(), String> {
    let found = [Dataset::Mnist, Dataset::FashionMnist].into_iter().any(|dataset| dataset.name() == name);
    if found { Ok(()) } else { Err("use mnist or fashion-mnist".into()) }
}

/// The sizes of a ball: `0.05`, or quotients such as `8/255`.
pub(super) fn sizes(text: &str) -> Result<Vec<f64>, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let size = |text: &str| {
        let size = match text.split_once('/') {
            Some((above, below)) => number(below).filter(|b| *b != 0.0).and_then(|below| Some(number(above)? / below)),
            None => number(text),
        };
        // A zero has no sign.
        size.map(|size| size + 0.0).ok_or_else(|| format!("{text:?} is not a number; use one such as 0.05 or 8/255"))
    };
    text.split(',').map(size).collect()
}

fn keep_norm(file: &mut RobustnessFile, name: &[String]) -> Result<()> {
    let norm = name.first().and_then(|name| Norm::from_str(name, false).ok()).context("a norm")?;
    file.threat.retain(|threat| threat.norm == norm);
    ensure!(
        !file.threat.is_empty(),
        "--norm {}: the experiment file has no [[threat]] in this norm; add one, or use another norm",
        norm.name()
    );
    Ok(())
}

/// Sets the sizes of a ball: of the only norm, or of Linf.
fn change_sizes(file: &mut RobustnessFile, text: &[String], of: fn(&mut ThreatFile) -> &mut Vec<f64>) -> Result<()> {
    let alone = file.threat.len() == 1;
    let threat = file.threat.iter_mut().find(|threat| alone || threat.norm == Norm::Linf);
    let threat = threat.context("--norm is missing: the experiment file has several norms, and none is linf")?;
    *of(threat) = sizes(text.first().context("a size")?).map_err(anyhow::Error::msg)?;
    Ok(())
}

fn change_sweep(file: &mut RobustnessFile, text: &[String]) -> Result<()> {
    if text.first().is_some_and(|text| text == "off") {
        file.threat.iter_mut().for_each(|threat| threat.sweep.clear());
        return Ok(());
    }
    change_sizes(file, text, |threat| &mut threat.sweep)
}
