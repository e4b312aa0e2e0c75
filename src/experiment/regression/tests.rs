//! The experiment file of the regression that is compiled in, and what flags and mistakes make of it.

use super::check::Facts;
use super::spec::{Method, RegressionSpec};
use super::*;
use crate::data::table::{Dataset, Noted, Origin};
use crate::engine::runs::Spec;
use crate::engine::settings::ProfileName;
use crate::engine::testing::{checked, told};
use crate::train::ScheduleConfig;
use candle_core::Device;

/// A profile with flags, each with its values.
fn with(profile: ProfileName, flags: &[(&str, &str)]) -> Result<Regression> {
    checked(TEXT, profile, flags)
}

/// The published tables as they are noted.
fn published() -> Facts {
    let noted = |dataset: Dataset| Noted {
        name: dataset.name().into(),
        rows: dataset.pin().rows,
        features: dataset.pin().features,
        sha256: dataset.pin().sha256.into(),
        origin: Origin::Published(dataset),
    };
    Facts { stand_ins: false, tables: Dataset::ALL[..5].iter().copied().map(noted).collect() }
}

#[test]
fn networks_have_the_papers_parameter_counts() -> Result<()> {
    let runs = with(ProfileName::Paper, &[("seeds", "1"), ("recipe", "held_out"), ("learning-rates", "0.001")])?
        .runs(&published(), "cpu")?;
    let count = |spec: &RegressionSpec| match &spec.method {
        Method::Baseline(baseline) => Ok(baseline.parameters(spec.table.features).unwrap_or(0)),
        Method::Network { model, .. } => {
            let model = model.build(spec.table.features, 1, spec.seed, &Device::Cpu)?;
            anyhow::Ok(model.parameters.count())
        }
    };
    let counts = |arm: &str| runs.iter().filter(|run| run.arm == arm).map(count).collect::<Result<Vec<_>>>();
    assert_eq!(counts("hannet")?, [5_501, 4_801, 5_801, 6_001, 5_901]);
    assert_eq!(counts("fcnet")?, [52_201, 51_501, 52_501, 52_701, 52_601]);
    assert_eq!(counts("ridge")?, [16, 9, 19, 21, 20]);
    assert_eq!(counts("extra-trees")?, [0; 5]);
    Ok(())
}

#[test]
fn the_rate_falls_at_epochs_or_at_steps() -> Result<()> {
    let runs = with(ProfileName::Paper, &[("models", "hannet"), ("seeds", "1"), ("learning-rates", "0.001")])?
        .runs(&published(), "cpu")?;
    let falls = |spec: &RegressionSpec| -> Vec<usize> {
        let Method::Network { fit, .. } = &spec.method else { return Vec::new() };
        assert!(matches!(fit.schedule, ScheduleConfig::MultiStep { .. }));
        let factor = |step: usize| fit.schedule.factor(step, fit.iterations);
        (1..fit.iterations).filter(|step| factor(*step) < factor(step - 1)).collect()
    };
    // 13,903 training rows of bike sharing are 139 steps an epoch.
    assert_eq!(
        (runs[0].point().as_str(), falls(&runs[0])),
        ("bikesharing-held_out-lr0.001", vec![150 * 139, 210 * 139])
    );
    for run in runs.iter().filter(|run| run.point().contains("released")) {
        assert_eq!(falls(run), [150, 210], "{}", run.point());
    }
    Ok(())
}

#[test]
fn a_run_is_known_by_table_and_target_wherever_the_file_lies() -> Result<()> {
    let runs = |facts: &Facts| with(ProfileName::Quick, &[])?.runs(facts, "cpu");
    let of_file = |path: &str, target: &str| -> Result<Vec<RegressionSpec>> {
        let mut facts = published();
        facts.tables[0].origin = Origin::File { path: path.into(), target: crate::data::table::Target::column(target) };
        runs(&facts)
    };
    let (one, moved, other) = (of_file("/a/t.csv", "y")?, of_file("/b/t.csv", "y")?, of_file("/a/t.csv", "z")?);
    assert_eq!(one[0].hash()?, moved[0].hash()?);
    assert_ne!(one[0].hash()?, other[0].hash()?);
    let all = runs(&published())?;
    // Five tables, five seeds: two networks with two recipes and two rates, and two methods.
    assert_eq!(all.len(), 5 * 5 * (2 * 2 * 2 + 2));
    for run in all.iter().step_by(7) {
        assert_eq!(run.problem(), None);
        assert_eq!(toml::from_str::<RegressionSpec>(&run.to_toml()?)?, *run);
    }
    Ok(())
}

#[test]
fn facts_about_no_table_that_can_be_are_refused() -> Result<()> {
    let experiment = with(ProfileName::Quick, &[])?;
    for (rows, features) in [(0, 3), (2, 3), (1000, 0), (1 << 60, 1 << 60), (1 << 30, 1)] {
        let mut facts = published();
        (facts.tables[0].rows, facts.tables[0].features) = (rows, features);
        assert!(experiment.runs(&facts, "cpu").is_err(), "{rows} x {features}");
    }
    let mut facts = published();
    facts.tables[1].name = "../../x".into();
    assert!(experiment.runs(&facts, "cpu").is_err());
    Ok(())
}

#[test]
fn sizes_are_those_of_networks_and_named_tables_have_no_stand_ins() -> Result<()> {
    let swept = with(ProfileName::Quick, &[("width", "8,16"), ("depth", "fcnet=3")])?.file;
    let names: Vec<&str> = swept.arm.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["hannet-width8", "hannet-width16", "fcnet", "ridge", "extra-trees"]);
    let file = with(ProfileName::Quick, &[("dataset", "mine.csv,winequality")])?.file;
    assert_eq!((file.data.tables.len(), file.data.stand_ins.len()), (2, 0));
    Ok(())
}

#[test]
fn mistakes_name_the_key_and_the_cure() {
    for (flags, words) in [
        (
            &[("width", "ridge=8")][..],
            "--width ridge=8: ridge has no width and depth; name a network that has, MODEL=N",
        ),
        (&[("width", "0")], "use a positive number"),
        (&[("depth", "trees=2")], "use MODEL=N with one of hannet, fcnet, ridge, extra-trees"),
        (&[("epochs", "0")], "train.epochs is 0; use at least 1"),
        (&[("batch-size", "1")], "train.batch_size is 1; use at least 2"),
        (&[("learning-rates", "0.1,-1")], "train.learning_rates has -1; use a positive number"),
        (&[("seeds", "0")], "seeds is 0; use at least 1"),
        (&[("set", "train.learning_rates=[]")], "train.learning_rates is empty; name at least one"),
        (&[("set", "recipes=[]")], "recipes is empty; name at least one"),
        (&[("recipe", "held_out,released,held_out")], "recipes has a value twice; name each once"),
        (&[("set", "data.tables=[]")], "data.tables is empty; name at least one"),
        (&[("set", "recipes=[\"paper\"]")], "unknown variant `paper`, expected `held_out` or `released`"),
        (&[("target", "price")], "data.target is price, but bikesharing has its own; name CSV files alone"),
        (&[("set", "arm.ridge.baseline=forest")], "unknown variant `forest`, expected `ridge` or `extra_trees`"),
        (&[("set", "arm.ridge.model.fcnet={width=3,depth=2}")], "arm ridge: name either a model or a baseline"),
        (&[("set", "train.schedule.multi_step.at=[0.7,0.5]")], "train.multi_step.at is [0.7, 0.5]; use ascending"),
        (&[("set", "train.epoch=3")], "the nearest keys are train.epochs"),
        (&[("models", "trees")], "--models trees: use one or more of hannet, fcnet, ridge, extra-trees"),
    ] {
        let told = told(with(ProfileName::Quick, flags));
        assert!(told.contains(words), "{flags:?}: {told}");
    }
}
