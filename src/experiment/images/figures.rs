//! The charts of a comparison of image classifiers.

use super::{Results, contact_file};
use crate::figure::{
    Course, CoursePanel, Image, Mark, MarkPanel, Quantity, SheetRow, accuracy_against_parameters, confusion_matrix,
    contact_sheet, learning_curves,
};
use crate::record::Store;
use crate::record::image::{ArmResults, ConfusionRow, CurveRow};
use crate::report::drawn::{self, Drawn};
use anyhow::{Context, Result, ensure};
use candle_core::Device;

/// Draws every chart.
pub(super) fn draw(store: &Store, results: &Results<'_>) -> Result<Vec<Drawn>> {
    let charts: Vec<(&'static str, &str, Result<Image>)> = vec![
        ("Loss and accuracy over epochs", "curves", curves(results)),
        ("Test accuracy against parameters", "parameters", against_parameters(results)),
        ("Answers of the best network", "confusion", confusion(results)),
        ("Augmented images", "images", images(store, results)),
    ];
    drawn::save(store, &results.experiment.name, charts)
}

/// Images as they are beside what augmentation makes of them.
fn images(store: &Store, results: &Results<'_>) -> Result<Image> {
    let path = contact_file(store, &results.experiment.name);
    let missing = || format!("cannot read {}", path.display());
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).with_context(missing)?;
    let tensor = |name: &str| tensors.get(name).with_context(|| format!("{} lacks {name}", path.display()));
    let pixels = tensor("pixels")?;
    let labels = tensor("labels")?.to_vec1::<u32>()?;
    let names = results.experiment.dataset.class_names();
    let mut rows = Vec::new();
    for (index, label) in labels.into_iter().enumerate() {
        let name = names.and_then(|names| names.get(label as usize).map(|name| (*name).to_string()));
        let mut versions: Vec<Vec<u8>> = pixels.get(index)?.flatten_from(1)?.to_vec2()?;
        let changed = versions.split_off(1);
        let heading = name.unwrap_or_else(|| format!("class {label}"));
        rows.push(SheetRow { heading, groups: vec![versions, changed] });
    }
    let augment = results.experiment.file().train.augment.name();
    let title = format!("Training images, data {}, augmentation {augment}", results.data());
    contact_sheet(&title, pixels.dim(2)?, &["as it is", "in the first epochs"], &rows)
}

fn title(results: &Results<'_>, what: &str) -> String {
    format!("{}: {what}, {}", results.experiment.title, results.setting())
}

/// Every network over the epochs; seeds that diverged are left out.
fn curves(results: &Results<'_>) -> Result<Image> {
    let mut curves: Vec<(&str, Vec<Vec<CurveRow>>)> = Vec::new();
    for arm in &results.experiment.arms {
        let of_arm = results.runs.iter().filter(|r| r.spec.arm == arm.name && r.manifest.diverged_at_step.is_none());
        curves.push((&arm.name, of_arm.map(|run| run.rows("curves.csv")).collect::<Result<_>>()?));
    }
    curves.retain(|(_, seeds)| !seeds.is_empty());
    ensure!(!curves.is_empty(), "no training is finished without divergence");
    let course = |arm: &str, seeds: &[Vec<CurveRow>], split: &str, quantity: Quantity| {
        let value = |row: &CurveRow| match quantity {
            Quantity::Loss => row.loss,
            Quantity::Accuracy => row.accuracy,
        };
        let of_seed = |rows: &Vec<CurveRow>| -> Vec<(f64, f64)> {
            rows.iter().filter(|row| row.split == split).map(|row| (row.epoch, value(row))).collect()
        };
        Course { arm: arm.into(), label: results.label(arm), seeds: seeds.iter().map(of_seed).collect() }
    };
    let mut panels = Vec::new();
    for (quantity, what) in [(Quantity::Loss, "loss"), (Quantity::Accuracy, "accuracy")] {
        for (split, images) in [("train", "Training, augmented"), ("validation", "Validation"), ("test", "Test")] {
            let courses = curves.iter().map(|(arm, seeds)| course(arm, seeds, split, quantity));
            let courses: Vec<Course> = courses.filter(|course| course.seeds.iter().any(|s| !s.is_empty())).collect();
            if !courses.is_empty() {
                panels.push(CoursePanel { title: format!("{images}: {what}"), quantity, courses });
            }
        }
    }
    learning_curves(&title(results, "training"), &panels)
}

fn against_parameters(results: &Results<'_>) -> Result<Image> {
    let mark = |arm: &ArmResults| {
        let sample = arm.sample("test", "accuracy")?;
        Some(Mark {
            arm: arm.arm.clone(),
            label: results.label(&arm.arm),
            parameters: arm.parameters,
            mean: sample.mean,
            low: sample.min,
            high: sample.max,
            paper: results.paper(&arm.arm),
        })
    };
    let marks: Vec<Mark> = results.arms.iter().filter_map(mark).collect();
    ensure!(!marks.is_empty(), "no training is finished without divergence");
    let panel = MarkPanel { title: "Last iterate".into(), marks };
    accuracy_against_parameters(&title(results, "test accuracy against parameters"), &[panel])
}

/// The network with the highest mean test accuracy, all its seeds together.
fn confusion(results: &Results<'_>) -> Result<Image> {
    let mean = |arm: &ArmResults| arm.sample("test", "accuracy").map_or(f64::NEG_INFINITY, |sample| sample.mean);
    let scored = results.arms.iter().filter(|arm| arm.sample("test", "accuracy").is_some());
    let best =
        scored.max_by(|a, b| mean(a).total_cmp(&mean(b))).context("no training is finished without divergence")?;
    let dataset = results.experiment.dataset;
    let names = dataset.class_names().with_context(|| format!("{} classes are too many", dataset.classes()))?;
    let mut counts = vec![vec![0; names.len()]; names.len()];
    let runs = results.runs.iter().filter(|r| r.spec.arm == best.arm && r.manifest.diverged_at_step.is_none());
    let mut seeds = 0;
    for run in runs {
        for ConfusionRow { label, prediction, count } in run.rows::<ConfusionRow>("confusion.csv")? {
            let cell = counts.get_mut(label).and_then(|row| row.get_mut(prediction));
            *cell.with_context(|| format!("confusion.csv has a class beyond the {}", names.len()))? += count;
        }
        seeds += 1;
    }
    let seeds = if seeds == 1 { "1 seed".to_string() } else { format!("{seeds} seeds") };
    let title = format!("Answers of {} to test images, {}, {seeds}", results.label(&best.arm), results.setting());
    confusion_matrix(&title, &names, &counts)
}
