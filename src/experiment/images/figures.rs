//! The charts of a comparison of image classifiers.

use super::contact::contact_file;
use super::rows::{ConfusionRow, CurveRow};
use super::summary::{ArmResults, Results};
use crate::engine::page::{Page, counted};
use crate::engine::runs::Store;
use crate::figure::{
    Course, CoursePanel, Image, Mark, MarkPanel, Quantity, SheetRow, accuracy_against_parameters, confusion_matrix,
    contact_sheet, learning_curves,
};
use anyhow::{Context, Result, ensure};
use candle_core::Device;

/// Draws every chart; `setting` is what is trained and scored on, in words.
pub(super) fn draw(page: &mut Page, results: &Results<'_>, setting: &str, store: &Store) {
    let heading = results.experiment.file.experiment.title();
    let title = |what: &str| format!("{heading}: {what}, {setting}");
    page.chart("Loss and accuracy over epochs", "curves", curves(results, &title("training")));
    let parameters = against_parameters(results, &title("test accuracy against parameters"));
    page.chart("Test accuracy against parameters", "parameters", parameters);
    page.chart("Answers of the best network", "confusion", confusion(results, setting));
    page.chart("Augmented images", "images", images(results, store));
}

/// Images as they are beside what augmentation makes of them.
fn images(results: &Results<'_>, store: &Store) -> Result<Image> {
    let file = &results.experiment.file;
    let path = contact_file(store, &file.experiment.name);
    let missing = || format!("cannot read {}", path.display());
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).with_context(missing)?;
    let tensor = |name: &str| tensors.get(name).with_context(|| format!("{} lacks {name}", path.display()));
    let pixels = tensor("pixels")?;
    let labels = tensor("labels")?.to_vec1::<u32>()?;
    let names = results.set.dataset.class_names();
    let mut rows = Vec::new();
    for (index, label) in labels.into_iter().enumerate() {
        let name = names.and_then(|names| names.get(label as usize).map(|name| (*name).to_string()));
        let mut versions: Vec<Vec<u8>> = pixels.get(index)?.flatten_from(1)?.to_vec2()?;
        let changed = versions.split_off(1);
        let heading = name.unwrap_or_else(|| format!("class {label}"));
        rows.push(SheetRow { heading, groups: vec![versions, changed] });
    }
    let (data, augment) = (results.set.name(), file.train.augment.name());
    let title = format!("Training images, data {data}, augmentation {augment}");
    contact_sheet(&title, pixels.dim(2)?, &["as it is", "in the first epochs"], &rows)
}

/// Every network over the epochs; seeds that diverged are left out.
fn curves(results: &Results<'_>, title: &str) -> Result<Image> {
    let mut curves: Vec<(&ArmResults<'_>, Vec<Vec<CurveRow>>)> = Vec::new();
    for result in results.arms.iter().filter(|result| !result.runs.is_empty()) {
        curves.push((result, result.runs.iter().map(|run| run.rows("curves.csv")).collect::<Result<_>>()?));
    }
    ensure!(!curves.is_empty(), "no training is finished without divergence");
    let course = |result: &ArmResults<'_>, seeds: &[Vec<CurveRow>], split: &str, quantity: Quantity| {
        let value = |row: &CurveRow| match quantity {
            Quantity::Loss => row.loss,
            Quantity::Accuracy => row.accuracy,
        };
        let of_seed = |rows: &Vec<CurveRow>| -> Vec<(f64, f64)> {
            rows.iter().filter(|row| row.split == split).map(|row| (row.epoch, value(row))).collect()
        };
        let (arm, label) = (result.arm.name.clone(), result.arm.label.clone());
        Course { arm, label, seeds: seeds.iter().map(of_seed).collect() }
    };
    let mut panels = Vec::new();
    for (quantity, what) in [(Quantity::Loss, "loss"), (Quantity::Accuracy, "accuracy")] {
        for (split, images) in [("train", "Training, augmented"), ("validation", "Validation"), ("test", "Test")] {
            let courses = curves.iter().map(|(result, seeds)| course(result, seeds, split, quantity));
            let courses: Vec<Course> = courses.filter(|course| course.seeds.iter().any(|s| !s.is_empty())).collect();
            if !courses.is_empty() {
                panels.push(CoursePanel { title: format!("{images}: {what}"), quantity, courses });
            }
        }
    }
    learning_curves(title, &panels)
}

fn against_parameters(results: &Results<'_>, title: &str) -> Result<Image> {
    let mark = |result: &ArmResults<'_>| {
        let sample = result.accuracy()?;
        Some(Mark {
            arm: result.arm.name.clone(),
            label: result.arm.label.clone(),
            parameters: result.scored.parameters,
            mean: sample.mean,
            low: sample.min,
            high: sample.max,
            paper: results.paper(result),
        })
    };
    let marks: Vec<Mark> = results.arms.iter().filter_map(mark).collect();
    ensure!(!marks.is_empty(), "no training is finished without divergence");
    accuracy_against_parameters(title, &[MarkPanel { title: "Last iterate".into(), marks }])
}

/// The network with the highest mean test accuracy, all its seeds together.
fn confusion(results: &Results<'_>, setting: &str) -> Result<Image> {
    let scored = results.arms.iter().filter_map(|result| Some((result.accuracy()?.mean, result)));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, best) = best.context("no training is finished without divergence")?;
    let dataset = results.set.dataset;
    let names = dataset.class_names().with_context(|| format!("{} classes are too many", dataset.classes()))?;
    let mut counts = vec![vec![0; names.len()]; names.len()];
    for run in &best.runs {
        for ConfusionRow { label, prediction, count } in run.rows::<ConfusionRow>("confusion.csv")? {
            let cell = counts.get_mut(label).and_then(|row| row.get_mut(prediction));
            *cell.with_context(|| format!("confusion.csv has a class beyond the {}", names.len()))? += count;
        }
    }
    let seeds = counted(best.runs.len(), "seed");
    let title = format!("Answers of {} to test images, {setting}, {seeds}", best.arm.label);
    confusion_matrix(&title, &names, &counts)
}
