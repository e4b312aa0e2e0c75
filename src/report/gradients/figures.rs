//! The charts of the layer's claims.

use super::{Results, depth, flow};
use crate::config::gradients::layers_of;
use crate::figure::{AxisScale, Drawing, Image, LinePanel, LineQuantity, LineSeries, line_panels};
use crate::record::Store;
use crate::record::gradients::{CostRow, ExtentRow, JacobianRow, StretchRow, exponent};
use crate::record::statistics::Sample;
use crate::report::drawn::{self, Drawn};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;

/// Draws every chart of the parts that were asked for.
pub(super) fn draw(store: &Store, results: &Results<'_>) -> Result<Vec<Drawn>> {
    use crate::config::gradients::Part;
    let charts: Vec<(Part, &'static str, &str, Result<Image>)> = vec![
        (Part::Jacobian, "Jacobians of random Han-layers", "jacobian", jacobian(results)),
        (Part::Jacobian, "Singular values of whole networks", "singular-values", singular_values(results)),
        (Part::Norms, "Gradients of untrained networks", "norms", flow::at_the_start(results)),
        (Part::Norms, "Gradients in training", "norms-training", flow::in_training(results)),
        (Part::Depth, "Accuracy against depth", "depth", depth::against_depth(results)),
        (Part::Cost, "Parameters and time", "cost", cost(results)),
        (Part::Lipschitz, "Lipschitz constants", "lipschitz", lipschitz(results)),
    ];
    let wanted = charts.into_iter().filter(|(part, ..)| results.claims.parts.contains(part));
    drawn::save(store, &results.claims.name, wanted.map(|(_, title, file, image)| (title, file, image)).collect())
}

/// What is exactly 0, or below, lies at this height of a logarithmic axis.
const FLOOR: f64 = 1e-17;
/// Where a kink itself lies beside the distances from it.
const AT_KINK: f64 = 1e-13;

fn jacobian(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<JacobianRow> = results.finished.rows("jacobian.csv")?;
    ensure!(!rows.is_empty(), "no Jacobian has been measured");
    let series = |precision: &str, at: &dyn Fn(&JacobianRow) -> Option<f64>| {
        let of = rows.iter().filter(|row| row.precision == precision);
        let points: Vec<(f64, f64)> = of.filter_map(|row| Some((at(row)?, row.deviation.max(FLOOR)))).collect();
        let label = if precision == "f64" { "double precision (f64)" } else { "single precision (f32)" };
        let (arm, label, drawing, band) = (precision.to_string(), label.to_string(), Drawing::Dots, Vec::new());
        (!points.is_empty()).then_some(LineSeries { arm, label, drawing, points, band, ending: None })
    };
    let both = |at: &dyn Fn(&JacobianRow) -> Option<f64>| -> Vec<LineSeries> {
        ["f64", "f32"].into_iter().filter_map(|precision| series(precision, at)).collect()
    };
    let random = |row: &JacobianRow| row.z.is_none().then_some(row.width as f64);
    let near = |row: &JacobianRow| row.z.map(|z| if z == 0.0 { AT_KINK } else { z.abs() });
    let y = LineQuantity::new("largest entry of |J'J − I| (log scale)", AxisScale::Log);
    let layers = rows.iter().filter(|row| row.z.is_none() && row.precision == "f64").count();
    let panels = [
        LinePanel {
            title: format!("{layers} random layers and points"),
            x: LineQuantity::new("width of the layer (log scale)", AxisScale::Log),
            y: y.clone(),
            series: both(&random),
            level: None,
        },
        LinePanel {
            title: "One entry of z near 0; leftmost: z = 0".into(),
            x: LineQuantity::new("|z| of that entry (log scale; 0 at the left edge)", AxisScale::Log),
            y,
            series: both(&near),
            level: None,
        },
    ];
    let panels: Vec<LinePanel> = panels.into_iter().filter(|panel| !panel.series.is_empty()).collect();
    let notes = [
        (Drawing::Dots, "J: Jacobian of one Han-layer; what is exactly 0 lies at the lower edge"),
        (Drawing::Dots, "at z = 0 the layer has no derivative, and |.| gets slope 0: one direction is lost"),
    ];
    line_panels("How far the Jacobian of a Han-layer is from orthogonal", &panels, &notes)
}

/// Points of a distribution that are drawn.
const QUANTILES: usize = 60;
/// Singular values below are drawn there.
const SMALLEST: f64 = 1e-5;

fn singular_values(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<ExtentRow> = results.finished.rows("extents.csv")?;
    ensure!(!rows.is_empty(), "no network has been followed through a training");
    let mut panels = Vec::new();
    for (to, what) in [("hidden", "to the last hidden layer"), ("outputs", "to the outputs")] {
        for (state, when) in [("start", "at the start"), ("trained", "trained")] {
            let mut series = Vec::new();
            for arm in &results.claims.arms {
                let of: Vec<&ExtentRow> =
                    rows.iter().filter(|row| row.arm == arm.name && row.to == to && row.state == state).collect();
                for (drawing, value) in [
                    (Drawing::Line, &(|row: &ExtentRow| row.most) as &dyn Fn(&ExtentRow) -> f64),
                    (Drawing::Dashed, &|row: &ExtentRow| row.least),
                ] {
                    let points = distribution(of.iter().map(|row| value(row).max(SMALLEST)).collect());
                    if !points.is_empty() {
                        let (name, label, band) = (arm.name.clone(), arm.label.clone(), Vec::new());
                        series.push(LineSeries { arm: name, label, drawing, points, band, ending: None });
                    }
                }
            }
            if !series.is_empty() {
                panels.push(LinePanel {
                    title: format!("Input {what}, {when}"),
                    x: LineQuantity::new("singular value of the Jacobian (log scale)", AxisScale::Log),
                    y: LineQuantity::new("points with less (%)", AxisScale::Percent),
                    series,
                    level: None,
                });
            }
        }
    }
    let notes = [
        (Drawing::Line, "largest singular value: the direction in which a small step grows most"),
        (Drawing::Dashed, "smallest: the direction in which it grows least"),
    ];
    line_panels("By how much networks stretch small steps, over points of the checkerboard", &panels, &notes)
}

/// The part of the values below each of some of them.
fn distribution(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    if last == 0 {
        return Vec::new();
    }
    (0..=QUANTILES).map(|q| last * q / QUANTILES).map(|place| (values[place], place as f64 / last as f64)).collect()
}

fn cost(results: &Results<'_>) -> Result<Image> {
    let rows = &results.costs;
    ensure!(!rows.is_empty(), "no time has been taken");
    let file = &results.claims.file().cost;
    let layers = [("han", "hannet", "Han-layer"), ("dense", "fcnet", "dense layer")];
    let of = |layer: &str, pass: &str, single: bool, point: &dyn Fn(&CostRow) -> (f64, f64)| -> Vec<(f64, f64)> {
        let rows = rows.iter().filter(|row| row.layer == layer && row.pass == pass);
        let rows = rows.filter(|row| {
            if single { row.depth == 1 && file.widths.contains(&row.width) } else { row.width == file.depth_width }
        });
        let mut points: Vec<(f64, f64)> = rows.map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by(|a, b| a.0 == b.0);
        points
    };
    let line = |arm: &str, label: &str, points: Vec<(f64, f64)>, ending: Option<String>| LineSeries {
        arm: arm.into(),
        label: label.into(),
        drawing: Drawing::Marked,
        points,
        band: Vec::new(),
        ending,
    };
    let mut panels = Vec::new();
    let width = || LineQuantity::new("width d (log scale)", AxisScale::Log);
    let parameters = layers.map(|(layer, arm, label)| {
        line(arm, label, of(layer, "training", true, &|row| (row.width as f64, row.parameters as f64)), None)
    });
    panels.push(panel("Parameters of one layer", width(), "parameters (log scale)", parameters.into()));
    for (pass, title) in
        [("forward", "Time of one layer, forward"), ("training", "Time of one layer, forward and backward")]
    {
        let mut series = Vec::new();
        for ((layer, arm, label), power) in layers.into_iter().zip([1, 2]) {
            let points = of(layer, pass, true, &|row| (row.width as f64, 1e6 * row.seconds));
            let fitted: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0 >= file.fitted_from as f64).collect();
            let ending = exponent(&fitted).map(|exponent| format!("~ d^{exponent:.2}"));
            if let Some(&(x, y)) = fitted.last() {
                // Through the widest layer, as far down as the axis of the others goes.
                let guide = points.iter().map(|p| (p.0, y * (p.0 / x).powi(power))).collect();
                series.push(LineSeries { drawing: Drawing::Dotted, ..line(arm, label, guide, None) });
            }
            series.insert(0, line(arm, label, points, ending));
        }
        panels.push(panel(title, width(), "microseconds (log scale)", series));
    }
    let deep = layers.map(|(layer, arm, label)| {
        line(arm, label, of(layer, "training", false, &|row| (row.depth as f64, 1e6 * row.seconds)), None)
    });
    let deep: Vec<LineSeries> = deep.into_iter().filter(|series| series.points.len() > 1).collect();
    if !deep.is_empty() {
        let title = format!("Time of a stack of width {}, forward and backward", file.depth_width);
        panels.push(panel(
            &title,
            LineQuantity::new("number of layers (log scale)", AxisScale::Log),
            "microseconds (log scale)",
            deep,
        ));
    }
    let threads = results.finished.probes.first().map_or(1, |run| run.manifest.environment.threads);
    let title = format!(
        "What a layer costs: {} samples a pass, {threads} thread{}",
        file.batch,
        if threads == 1 { "" } else { "s" }
    );
    let note =
        format!("in proportion to d (Han) and to d² (dense); exponents are fitted from d = {}", file.fitted_from);
    line_panels(&title, &panels, &[(Drawing::Dotted, note.as_str())])
}

fn panel(title: &str, x: LineQuantity, y: &str, mut series: Vec<LineSeries>) -> LinePanel {
    series.retain(|series| !series.points.is_empty());
    LinePanel { title: title.into(), x, y: LineQuantity::new(y, AxisScale::Log), series, level: None }
}

fn lipschitz(results: &Results<'_>) -> Result<Image> {
    let rows: Vec<StretchRow> = results.finished.rows("stretch.csv")?;
    ensure!(!rows.is_empty(), "no Lipschitz constant has been searched for");
    let file = results.claims.file();
    let mut panels = Vec::new();
    let y = || LineQuantity::new("|f(x) − f(y)| / |x − y| (log scale)", AxisScale::Log);
    let (trained, alone): (Vec<&StretchRow>, Vec<&StretchRow>) = rows.iter().partition(|row| row.point == "course");
    let series = curves(results, &alone, |row| row.depth as f64);
    if !series.is_empty() {
        panels.push(LinePanel {
            title: format!("Untrained, width {}", file.lipschitz.width),
            x: LineQuantity::new("number of hidden layers (log scale)", AxisScale::Log),
            y: y(),
            series,
            level: Some((1.0, "1: no two points move apart".into())),
        });
    }
    let series = curves(results, &trained, |row| if row.state == "trained" { 1.0 } else { 0.0 });
    if !series.is_empty() {
        let of_arm = |arm: &&crate::config::gradients::Arm| file.arm.iter().find(|a| a.name == arm.name && a.course);
        let sizes = results.claims.arms.iter().filter_map(|arm| {
            let file = of_arm(&arm)?;
            Some(format!("{} {} x {}", arm.label, layers_of(&file.model), file.model.size().width))
        });
        panels.push(LinePanel {
            title: format!("Trained: {}", sizes.collect::<Vec<_>>().join(", ")),
            x: LineQuantity::new("part of the training that is done (0: the start)", AxisScale::Linear),
            y: y(),
            series,
            level: Some((1.0, "1: no two points move apart".into())),
        });
    }
    ensure!(!panels.is_empty(), "no network with a Lipschitz constant");
    let notes = [
        (Drawing::Marked, "largest ratio that gradient ascent found, median seed"),
        (Drawing::Dashed, "product of the layers' spectral norms, which it cannot pass; drawn up to 1e15"),
    ];
    line_panels("How far apart the hidden layers can move two points", &panels, &notes)
}

/// Products of norms beyond are drawn there: those of deep dense networks would leave no room for all else.
const LARGEST: f64 = 1e15;

/// Found ratios and products of norms of every network, medians over seeds.
fn curves(results: &Results<'_>, rows: &[&StretchRow], x: impl Fn(&StretchRow) -> f64) -> Vec<LineSeries> {
    let mut series = Vec::new();
    for arm in &results.claims.arms {
        let of_arm = || rows.iter().filter(|row| row.arm == arm.name);
        let median = |value: &dyn Fn(&StretchRow) -> Option<f64>| -> Vec<(f64, f64)> {
            let mut values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for row in of_arm() {
                // Places are not negative, so their bits have their order.
                values.entry(x(row).to_bits()).or_default().extend(value(row).filter(|value| *value > 0.0));
            }
            let of = |(place, values): (u64, Vec<f64>)| Some((f64::from_bits(place), Sample::of(&values)?.median));
            values.into_iter().filter_map(of).collect()
        };
        for (drawing, points) in [
            (Drawing::Marked, median(&|row| row.found)),
            (Drawing::Dashed, median(&|row| row.log10_of_norms.map(|log10| 10f64.powf(log10).min(LARGEST)))),
        ] {
            if !points.is_empty() {
                let (name, label, band) = (arm.name.clone(), arm.label.clone(), Vec::new());
                series.push(LineSeries { arm: name, label, drawing, points, band, ending: None });
            }
        }
    }
    series
}
