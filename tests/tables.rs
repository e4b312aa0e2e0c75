//! Tables for regression: whatever the bytes of a file, reading it ends well; and networks learn from what was read.

#![cfg(feature = "program")]

use candle_core::Device;
use han_exp::baseline::Baseline;
use han_exp::data::table::{Dataset, Parts, Sizes, Statistics, Table, Target, parse};
use han_exp::evaluate::regression::{Score, score};
use han_exp::model::{FcNetConfig, ModelConfig};
use han_exp::rng::Seed;
use han_exp::train::{
    FitConfig, LossConfig, Observer, OptimizerConfig, Outcome, Sampling, ScheduleConfig, Streams, fit,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases on every run: a failure is a change of the program, not of the dice.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(2106), failure_persistence: None, ..ProptestConfig::default() }
}

/// What every table promises, and that it can be cut.
fn check(table: &Table) -> Result<(), TestCaseError> {
    let (rows, columns) = (table.rows(), table.columns.len());
    prop_assert_eq!(table.features.len(), rows * columns);
    prop_assert!(columns > 0 && Sizes::of(rows).train > columns);
    prop_assert!(table.features.iter().chain(&table.targets).all(|value| value.is_finite()));
    prop_assert!(table.targets.iter().any(|target| *target != table.targets[0]), "the target is constant");
    for column in 0..columns {
        prop_assert!((1..rows).any(|row| table.row(row)[column] != table.row(0)[column]), "a column is constant");
    }
    for statistics in [Statistics::Training, Statistics::Whole] {
        // A value may be too far from the others for single precision; that is reported.
        if let Ok(parts) = Parts::of(table, Seed(1), statistics) {
            prop_assert_eq!(parts.train.rows() + parts.validation.rows() + parts.test.rows(), rows);
            prop_assert!(parts.validation.rows() > 0 && parts.test.rows() > 0);
        }
    }
    Ok(())
}

fn read(bytes: &[u8], target: &Target) -> Result<(), TestCaseError> {
    match parse("bytes", bytes, target) {
        Ok(table) => check(&table),
        Err(error) => {
            let told = error.to_string();
            prop_assert!(!told.is_empty());
            Ok(())
        }
    }
}

/// A cell: mostly a number, sometimes what else stands in files.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => (-99..99i32).prop_map(|number| number.to_string()),
        4 => any::<f64>().prop_map(|number| format!("{number:e}")),
        1 => "[a-z \"',;]{0,4}",
    ]
}

prop_compose! {
    /// A table of any numbers that are accepted, and names as bad as they come.
    fn numbers()(columns in 1..5usize, rows in 12..40usize)(
        columns in Just(columns),
        names in prop::collection::vec("[a-z][a-z0-9 ,;\t\n\r\"'.\u{e9}]{0,8}[a-z]_", columns + 1),
        values in prop::collection::vec(-1e30..1e30f64, rows * (columns + 1)),
        exponents in prop::collection::vec(-300..0i32, rows * (columns + 1)),
    ) -> (Vec<String>, Vec<Vec<f64>>) {
        let cells: Vec<f64> = values.iter().zip(exponents).map(|(value, exponent)| value * 10f64.powi(exponent)).collect();
        (names, cells.chunks_exact(columns + 1).map(<[f64]>::to_vec).collect())
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes, &Target::default())?;
    }

    #[test]
    fn any_text_is_a_table_or_an_error(text in "[0-9.eE+,;\t\n\r\"x -]{0,300}", target in "[0-9x]{0,2}") {
        read(text.as_bytes(), &Target::default())?;
        read(text.as_bytes(), &Target::column(&target))?;
    }

    #[test]
    fn any_cells_are_a_table_or_an_error(
        columns in 1..4usize, cells in prop::collection::vec(cell(), 0..120), end in "\n|\r\n|\r", delimiter in "[,;\t]",
    ) {
        let lines: Vec<String> = cells.chunks(columns).map(|row| row.join(&delimiter)).collect();
        read(lines.join(&end).as_bytes(), &Target::default())?;
    }

    #[test]
    fn a_table_that_is_written_is_read_as_it_was((names, rows) in numbers()) {
        let (target, columns) = names.split_last().expect("a target");
        let table = Table {
            name: "numbers".into(),
            columns: columns.to_vec(),
            target: target.clone(),
            features: rows.iter().flat_map(|row| row[..columns.len()].to_vec()).collect(),
            targets: rows.iter().map(|row| row[columns.len()]).collect(),
            sha256: String::new(),
            dropped: Vec::new(),
            mixed_header: false,
        };
        let text = table.to_csv();
        let read = parse("numbers", text.as_bytes(), &Target::default());
        let read = read.map_err(|error| TestCaseError::fail(format!("{error:#}\n{text}")))?;
        prop_assert_eq!(&read.to_csv(), &text);
        prop_assert_eq!(Table { sha256: String::new(), ..read }, table);
    }
}

#[test]
fn published_tables_have_the_columns_of_the_papers_parameter_counts() {
    // `parameters.rs` counts the networks of these widths.
    let features = Dataset::ALL.map(|dataset| dataset.pin().features);
    assert_eq!(features, [15, 8, 18, 20, 19, 11, 10]);
    for dataset in Dataset::ALL.into_iter().filter(|dataset| dataset.is_embedded()) {
        let (table, pin) = (dataset.read(None).expect("an embedded table"), dataset.pin());
        assert_eq!((table.rows(), table.columns.len(), table.dropped.len()), (pin.rows, pin.features, 0));
        let again = parse(dataset.name(), table.to_csv().as_bytes(), &Target::default()).expect("the same table");
        assert_eq!(again, table);
    }
}

struct Nobody;

impl Observer for Nobody {}

#[test]
fn a_network_learns_what_ridge_regression_does() -> anyhow::Result<()> {
    let table = Dataset::Diabetes.read(None)?;
    let parts = Parts::of(&table, Seed(1), Statistics::Training)?;
    let deviation = parts.standardizer.target.deviation;
    let model = ModelConfig::Fcnet(FcNetConfig::new(16, 2)).build(parts.train.columns, 1, Seed(1), &Device::Cpu)?;
    let config = FitConfig {
        iterations: 300,
        batch_size: 50,
        report_every: 300,
        learning_rate: 0.003,
        optimizer: OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 },
        schedule: ScheduleConfig::Cosine { warmup: 0.0, floor: 0.0 },
        input_noise: 0.0,
        sampling: Sampling::Fresh,
        loss: LossConfig::MeanSquaredError,
    };
    let (batches, noise) = (&mut Seed(1).stream("batch"), &mut Seed(1).stream("noise"));
    let train = parts.train.points(&Device::Cpu)?;
    assert_eq!(fit(&model, &train, &config, Streams { batches, noise }, &mut Nobody)?, Outcome::Finished);

    let network = score(&*model.frozen, &parts.test.points(&Device::Cpu)?, deviation)?;
    let ridge = Baseline::Ridge.fit(&parts.train, &parts.validation, Seed(1))?.predict(&parts.test)?;
    let ridge = Score::of(&ridge, &parts.test.targets, deviation)?;
    // Both explain about half of the progress of diabetes, as in the literature.
    for score in [network, ridge] {
        assert!((0.25..0.75).contains(&score.r_squared.unwrap_or_default()), "{score:?}");
        assert!((35.0..75.0).contains(&score.rmse_in_units) && score.points == 53, "{score:?}");
    }
    Ok(())
}
