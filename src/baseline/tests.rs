use super::*;
use crate::data::table::{Dataset, Parts, Statistics};

/// So many rows of two uniform features; the target is `of` them.
fn part(rows: usize, stream: &str, of: impl Fn(f64, f64) -> f64) -> Part {
    let mut stream = Seed(1).stream(stream);
    let features: Vec<f64> = (0..2 * rows).map(|_| 2.0 * stream.uniform() - 1.0).collect();
    let targets = features.chunks_exact(2).map(|row| of(row[0], row[1])).collect();
    Part { columns: 2, features, targets }
}

#[test]
fn ridge_finds_a_line_with_its_intercept() {
    let line = |x: f64, z: f64| 3.0 * x - 2.0 * z + 5.0;
    let (train, test) = (part(200, "train", line), part(50, "test", line));
    let fitted = Baseline::Ridge.fit(&train, &part(50, "validation", line), Seed(1)).expect("a fit");
    assert_eq!(fitted.choice, Choice::Ridge { penalty: 1e-6 });
    let error = mean_squared_error(&fitted.predict(&test).expect("predictions"), &test.targets);
    assert!(error < 1e-9, "{error}");
}

#[test]
fn ridge_minimises_its_objective() {
    let line = |x: f64, z: f64| 3.0 * x - 2.0 * z + 5.0;
    let train = part(100, "train", line);
    let ridge = ridge::Ridge::fit(&train, 0.1).expect("a fit");
    // Its weights, as differences of predictions.
    let corner = Part { columns: 2, features: vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0], targets: vec![0.0; 3] };
    let at = ridge.predict(&corner).expect("predictions");
    let objective = |[w, v, b]: [f64; 3]| {
        let outputs: Vec<f64> = train.features.chunks_exact(2).map(|row| w * row[0] + v * row[1] + b).collect();
        mean_squared_error(&outputs, &train.targets) + 0.1 * (w * w + v * v)
    };
    let weights = [at[1] - at[0], at[2] - at[0], at[0]];
    for (place, step) in [(0, 1e-3), (0, -1e-3), (1, 1e-3), (1, -1e-3), (2, 1e-3), (2, -1e-3)] {
        let mut other = weights;
        other[place] += step;
        assert!(objective(other) > objective(weights), "{place} {step}");
    }
}

#[test]
fn trees_learn_what_no_line_can() {
    let product = |x: f64, z: f64| x * z;
    let (train, test) = (part(1000, "train", product), part(200, "test", product));
    let validation = part(100, "validation", product);
    let error = |baseline: Baseline| {
        let fitted = baseline.fit(&train, &validation, Seed(1)).expect("a fit");
        mean_squared_error(&fitted.predict(&test).expect("predictions"), &test.targets)
    };
    assert!(error(Baseline::ExtraTrees) < 0.1 * error(Baseline::Ridge));
}

#[test]
fn the_validation_rows_choose() {
    let noise = |_: f64, _: f64| 0.0;
    let mut train = part(60, "train", noise);
    let mut stream = Seed(2).stream("noise");
    train.targets.iter_mut().for_each(|target| *target = stream.normal());
    // There is nothing to learn, so the strongest restriction is best.
    let fitted = Baseline::Ridge.fit(&train, &part(500, "validation", noise), Seed(1)).expect("a fit");
    assert_eq!(fitted.choice, Choice::Ridge { penalty: 1.0 });
    let least = fitted.trials.iter().min_by(|a, b| a.validation_mse.total_cmp(&b.validation_mse)).expect("trials");
    assert_eq!(least.choice, fitted.choice);
    assert_eq!(fitted.trials.len(), ridge::PENALTIES.len());
}

#[test]
fn a_seed_fixes_the_trees_on_any_number_of_threads() {
    let table = Dataset::Diabetes.read(None).expect("an embedded table");
    let parts = Parts::of(&table, Seed(1), Statistics::Training).expect("parts");
    let predictions = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let fitted = pool.install(|| Baseline::ExtraTrees.fit(&parts.train, &parts.validation, Seed(seed)));
        fitted.and_then(|fitted| fitted.predict(&parts.test)).expect("predictions")
    };
    let once = predictions(1, 1);
    assert_eq!(once, predictions(3, 1));
    assert_ne!(once, predictions(1, 2));
}

#[test]
fn equal_features_and_too_few_rows_are_no_panic() {
    let mut train = part(50, "train", |x, _| x);
    train.features.chunks_exact_mut(2).for_each(|row| row[1] = row[0]);
    let few = Part { columns: 2, features: vec![1.0, 2.0], targets: vec![3.0] };
    let none = Part { columns: 2, features: Vec::new(), targets: Vec::new() };
    for baseline in Baseline::ALL {
        let fitted = baseline.fit(&train, &few, Seed(1)).expect("a fit");
        assert!(fitted.predict(&few).expect("a prediction")[0].is_finite());
        assert!(fitted.predict(&none).expect("no predictions").is_empty());
        assert!(baseline.fit(&few, &train, Seed(1)).is_err());
        assert!(baseline.fit(&train, &none, Seed(1)).is_err());
        // Constant features, as a column may be in the training rows alone.
        let constant = Part { features: vec![0.0; 100], ..train.clone() };
        let fitted = baseline.fit(&constant, &few, Seed(1)).expect("a fit");
        assert!(fitted.predict(&few).expect("a prediction")[0].is_finite());
    }
}
