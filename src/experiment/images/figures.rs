//! The charts of a comparison of image classifiers.

use super::check::Training;
use super::contact::contact_file;
use super::rows::{ConfusionRow, CurveRow};
use super::spec::ImageSpec;
use super::summary::{ArmResults, Results};
use crate::engine::page::{Page, counted};
use crate::engine::rows::{Figure, Sample};
use crate::engine::runs::{FinishedRun, Store};
use crate::figure::{
    AxisScale, Body, CategoryPanel, Drawing, Entry, Image, Key, LinePanel, LineQuantity, LineSeries, SheetRow,
    category_panels, confusion_difference, contact_sheet, line_panels,
};
use crate::files;
use anyhow::{Context, Result, ensure};
use candle_core::Device;

/// Bytes of the largest file of images for the chart of them; those of STL-10 have a thirtieth of it.
const LARGEST_SHEET: u64 = 64 << 20;

/// What a curve shows: the label and the scale of its axis, the value of a row, and that in words.
type Shown = (&'static str, AxisScale, fn(&CurveRow) -> f64, fn(f64) -> String);
const LOSS: Shown = ("cross-entropy", AxisScale::Linear, |row| row.loss, |loss| format!("{loss:.4}"));
const ACCURACY: Shown =
    ("accuracy (%)", AxisScale::Percent, |row| row.accuracy, |accuracy| format!("{:.2} %", 100.0 * accuracy));

/// Draws every chart; `setting` is what is trained and scored on, in words.
pub(super) fn draw(page: &mut Page, results: &Results<'_>, setting: &str, store: &Store) {
    let heading = results.experiment.file.experiment.title();
    let title = |what: &str| format!("{heading}: {what}, {setting}");
    let several = results.experiment.trainings().len() > 1;
    let (caption, what) = match several {
        false => ("Loss and accuracy over epochs", "training"),
        true => ("Test accuracy over epochs", "test accuracy"),
    };
    page.chart(caption, "curves", curves(results, &title(what)));
    match several {
        false => page.chart("Test accuracy and paired differences", "parameters", accuracies(results, setting)),
        true => page.chart("Paired differences over the length of training", "differences", ahead(results, setting)),
    }
    // A chart of a hundred classes and more would have no room for them.
    if let Some(names) = results.set.dataset.class_names() {
        // Of several trainings it shows one, which the names of the networks tell.
        let setting = if several { results.set.name() } else { setting };
        page.chart("Answers of a network minus those of another", "confusion", confusion(results, &names, setting));
    }
    page.chart("Augmented images", "images", images(results, store));
}

/// Images as they are beside what augmentation makes of them.
fn images(results: &Results<'_>, store: &Store) -> Result<Image> {
    let file = &results.experiment.file;
    let path = contact_file(store, &file.experiment.name);
    let missing = || format!("cannot read {}", path.display());
    let bytes = files::read_within(&path, LARGEST_SHEET).with_context(missing)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).with_context(missing)?;
    let tensor = |name: &str| tensors.get(name).with_context(|| format!("{} lacks {name}", path.display()));
    let pixels = tensor("pixels")?;
    let (_, versions, ..) = pixels.dims5().with_context(missing)?;
    ensure!(versions > 1, "{} has no images", path.display());
    let labels = tensor("labels")?.to_vec1::<u32>()?;
    let names = results.set.dataset.class_names();
    let mut rows = Vec::new();
    for (index, label) in labels.into_iter().enumerate() {
        let name = names.and_then(|names| names.get(label as usize).map(|name| (*name).to_string()));
        let heading = name.unwrap_or_else(|| format!("class {label}"));
        rows.push(SheetRow { heading, images: pixels.get(index)?.flatten_from(1)?.to_vec2()? });
    }
    let (data, augment) = (results.set.name(), results.experiment.shown_augment());
    let title = format!("Training images, data {data}, augmentation {augment}");
    contact_sheet(&title, pixels.dim(2)?, ["as it is", "in the first epochs"], &rows)
}

/// Every network over the epochs; seeds that diverged are left out. Where there are several trainings, each has its panel.
fn curves(results: &Results<'_>, title: &str) -> Result<Image> {
    let mut curves: Vec<(&ArmResults<'_>, Vec<Vec<CurveRow>>)> = Vec::new();
    for result in &results.arms {
        let rows = |run: &&FinishedRun<ImageSpec>| -> Result<Vec<CurveRow>> {
            let rows: Vec<CurveRow> = run.rows("curves.csv")?;
            // An epoch by its number: images that fill no batch are left out, so it ends a little before it.
            let point = |row: CurveRow| CurveRow { epoch: run.spec.epoch_after(row.step) as f64, ..row };
            Ok(rows.into_iter().filter(|row| run.spec.has_point(row.step)).map(point).collect())
        };
        curves.push((result, result.runs.iter().map(rows).collect::<Result<_>>()?));
    }
    let panel = |title: String, training: Training, split: &str, (axis, scale, value, worded): Shown| {
        let of_seed = |rows: &Vec<CurveRow>| -> Vec<(f64, f64)> {
            rows.iter().filter(|row| row.split == split).map(|row| (row.epoch, value(row))).collect()
        };
        let (mut means, mut thin) = (Vec::new(), Vec::new());
        for (result, seeds) in curves.iter().filter(|(result, _)| result.entrant.training == training) {
            let seeds: Vec<Vec<(f64, f64)>> = seeds.iter().map(of_seed).filter(|seed| !seed.is_empty()).collect();
            let [arm, label] = &result.entrant.network;
            let points = mean(&seeds).with_context(|| format!("{arm}: its seeds differ in their epochs"))?;
            let Some(&(_, last)) = points.last() else { continue };
            let series = LineSeries::of(arm, label, Drawing::Thick, points);
            means.push(LineSeries { ending: vec![worded(last)], ..series });
            thin.extend(seeds.into_iter().map(|seed| LineSeries::of(arm, label, Drawing::Thin, seed)));
        }
        let series = means.into_iter().chain(thin).collect();
        let (x, y) = (LineQuantity::new("epoch", AxisScale::Count), LineQuantity::new(axis, scale));
        anyhow::Ok(LinePanel::of(title, x, y, series))
    };
    let mut panels = Vec::new();
    match *results.experiment.trainings() {
        [training] => {
            for (shown, what) in [(LOSS, "loss"), (ACCURACY, "accuracy")] {
                for (split, images) in
                    [("train", "Training, augmented"), ("validation", "Validation"), ("test", "Test")]
                {
                    panels.extend(panel(format!("{images}: {what}"), training, split, shown)?);
                }
            }
        }
        ref several => {
            for &training in several {
                panels.extend(panel(format!("Test accuracy: {training}"), training, "test", ACCURACY)?);
            }
        }
    }
    ensure!(!panels.is_empty(), "no training is finished without divergence");
    let notes = [(Drawing::Thin, "one seed"), (Drawing::Thick, "mean of the seeds; number: its last value")];
    line_panels(title, &panels, &notes)
}

/// The mean of curves place by place; None if they differ in their places.
fn mean(curves: &[Vec<(f64, f64)>]) -> Option<Vec<(f64, f64)>> {
    let mut sum = curves.first().cloned().unwrap_or_default();
    for curve in curves.iter().skip(1) {
        if curve.len() != sum.len() {
            return None;
        }
        sum.iter_mut().zip(curve).for_each(|(sum, point)| sum.1 += point.1);
    }
    sum.iter_mut().for_each(|point| point.1 /= curves.len() as f64);
    Some(sum)
}

/// Every network that is compared with another, and the other, if they have seeds in common; their differences in percentage
/// points, and these as an entry of category 0.
fn pairs<'m>(
    results: &'m Results<'_>,
) -> impl Iterator<Item = (&'m ArmResults<'m>, &'m ArmResults<'m>, Sample, Entry)> {
    let accuracy = Figure::of("test", "accuracy");
    results.arms.iter().filter_map(move |result| {
        let other = results.other(result)?;
        let [own, others] = [result, other].map(|of| of.scored.values(&accuracy));
        let points: Vec<f64> = own.differences(&others).into_iter().map(|difference| 100.0 * difference).collect();
        let sample = Sample::of(&points)?;
        let (low, high) = sample.confidence_interval().unwrap_or((sample.mean, sample.mean));
        let note = Some(format!("{:+.2}", sample.mean).replace('-', "−"));
        let entry = Entry { note, ..entry(result, 0, points, Some([low, sample.mean, high])) };
        Some((result, other, sample, entry))
    })
}

/// Accuracies, and their paired differences with the 95 % interval of the mean.
fn accuracies(results: &Results<'_>, setting: &str) -> Result<Image> {
    let mut whole = panel("Test accuracy", "", LineQuantity::new("test accuracy (%)", AxisScale::Percent));
    for result in &results.arms {
        let Some(sample) = result.accuracy() else { continue };
        let thousands = result.scored.parameters as f64 / 1000.0;
        let values = result.scored.of(&Figure::of("test", "accuracy")).iter().map(|score| score.value).collect();
        let range = Some([sample.min, sample.mean, sample.max]);
        whole.entries.push(entry(result, whole.categories.len(), values, range));
        whole.categories.push(format!("{thousands:.0}k parameters, n = {}", sample.n));
    }
    ensure!(!whole.entries.is_empty(), "no training is finished without divergence");
    let mut paired = panel("Differences, paired by seed", "", LineQuantity::new("percentage points", AxisScale::Close));
    let mut seen = Vec::new();
    for (result, other, sample, entry) in pairs(results) {
        let names = format!("{} minus {}", result.arm.label, other.arm.label);
        seen.push(match sample.confidence_interval() {
            Some((low, high)) => format!("{names}: {:+.2} points ({low:+.2} to {high:+.2})", sample.mean),
            None => format!("{names}: {:+.2} points", sample.mean),
        });
        paired.entries.push(Entry { category: paired.categories.len(), ..entry });
        paired.categories.push(format!("{names}, n = {}", sample.n));
    }
    paired.level = Some((0.0, String::new()));
    let title = seen.first().map_or("Test accuracy of every network".into(), |first| first.replace('-', "−"));
    let mut notes = vec![(Key::Filled, "left: mean, lowest and highest seed"), (Key::Point, "one seed")];
    let mut panels = vec![whole];
    if !paired.entries.is_empty() {
        notes.insert(1, (Key::Filled, "right: mean and, of two seeds or more, its 95 % interval (Student's t)"));
        panels.push(paired);
    }
    category_panels(&format!("{title}; {setting}"), &panels, &notes)
}

/// How far the networks are ahead of those that they are compared with after trainings of several lengths.
fn ahead(results: &Results<'_>, setting: &str) -> Result<Image> {
    let mut others: Vec<&str> = pairs(results).map(|(_, other, ..)| other.entrant.network[1].as_str()).collect();
    others.dedup();
    let to = if let [other] = others[..] { other } else { "the other network" };
    let mut panels: Vec<CategoryPanel> = Vec::new();
    for training in results.experiment.trainings() {
        let title = format!("Augmentation {}", training.augment);
        if panels.last().is_none_or(|panel| panel.title != title) {
            let y = LineQuantity::new(format!("difference to {to} (percentage points)"), AxisScale::Close);
            panels.push(CategoryPanel { level: Some((0.0, String::new())), ..panel(&title, "epochs", y) });
        }
        let Some(panel) = panels.last_mut() else { continue };
        panel.categories.push(training.epochs.to_string());
        for (result, other, _, entry) in pairs(results).filter(|(of, ..)| of.entrant.training == training) {
            let [arm, label] = result.entrant.network.clone();
            let label = format!("{label} minus {}", other.entrant.network[1]);
            panel.entries.push(Entry { arm, label, category: panel.categories.len() - 1, ..entry });
        }
    }
    panels.retain(|panel| !panel.entries.is_empty());
    ensure!(!panels.is_empty(), "no network is finished beside the one that it is compared with");
    let notes = [
        (Key::Filled, "mean and, of two seeds or more, its 95 % interval (Student's t)"),
        (Key::Point, "difference in one seed"),
    ];
    category_panels(&format!("Paired differences in test accuracy; {setting}"), &panels, &notes)
}

fn entry(result: &ArmResults<'_>, category: usize, points: Vec<f64>, range: Option<[f64; 3]>) -> Entry {
    Entry { range, points, ..Entry::of(&result.arm.name, &result.arm.label, category, Body::Whisker) }
}

fn panel(title: &str, x_label: &str, y: LineQuantity) -> CategoryPanel {
    CategoryPanel { x_label: x_label.into(), ..CategoryPanel::of(title, Vec::new(), y) }
}

/// Answers of a network minus those of the network that it is compared with, over the seeds of each.
fn confusion(results: &Results<'_>, names: &[&str], setting: &str) -> Result<Image> {
    let pair = pairs(results).next().context("no network is finished beside the one that it is compared with")?;
    let (result, other, ..) = pair;
    let (first, second) = (counts(result, names.len())?, counts(other, names.len())?);
    let [label, others] = [result, other].map(|of| of.arm.label.as_str());
    let seeds = [result, other].map(|of| counted(of.runs.len(), "seed"));
    let title = format!("{label} ({}) minus {others} ({}): answers to test images, {setting}", seeds[0], seeds[1]);
    confusion_difference(&title, names, [&first, &second], [label, others])
}

/// Test images of each class by their answers, all seeds together.
fn counts(result: &ArmResults<'_>, classes: usize) -> Result<Vec<Vec<usize>>> {
    let mut counts = vec![vec![0; classes]; classes];
    for run in &result.runs {
        for ConfusionRow { label, prediction, count } in run.rows::<ConfusionRow>("confusion.csv")? {
            let cell = counts.get_mut(label).and_then(|row| row.get_mut(prediction));
            *cell.with_context(|| format!("confusion.csv has a class beyond the {classes}"))? += count;
        }
    }
    Ok(counts)
}
