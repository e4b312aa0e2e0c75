//! A network through a training on the checkerboard.

use super::rows::ExtentRow;
use super::start::{flow_rows, stretch_row};
use super::{Bench, Course, hidden, settle};
use crate::data::Points;
use crate::data::checkerboard::Split;
use crate::engine::runs::{self, Record, RunOutcome, Seen, Trained};
use crate::evaluate::accuracy::score;
use crate::evaluate::gradient::{Ascent, Extent, RowFunction, extents};
use crate::experiment::checkerboard::{INPUTS, OUTPUTS};
use crate::experiment::gradients::spec::layers_of;
use crate::model::{Model, Network};
use crate::nn::Mode;
use crate::train::{Best, Report};
use anyhow::Result;
use candle_core::{DType, Tensor};

/// Trains, and measures at the start, on the way, and at the end; None if it was stopped.
pub(super) fn run(bench: &Bench<'_>, course: &Course) -> Result<Option<Record>> {
    let (seed, device, job) = (bench.spec.seed, bench.device, bench.job);
    let split = Split::of(&course.split, &course.board, seed)?;
    let [train, test] = [&split.train, &split.test].map(|places| course.board.select(places, device));
    let (train, test) = (train?, test?);
    let model = course.model.build(INPUTS, OUTPUTS, seed, device)?;
    let (_, samples) = bench.points(&course.board, course.samples, "norms/points")?;
    let watch = Watch { bench, course, samples };
    job.part("start", || watch.whole(&model, "start"))?;
    job.part("moment", || watch.moment(&model, 0))?;
    let look = |report: &Report, model: &Model| watch.moment(model, report.step).map(|()| Seen::default());
    let trained = runs::train(bench.spec, (&model, &train, &course.fit), Best::default(), job, look)?;
    let Some(Trained { ending, .. }) = trained else { return Ok(None) };
    let mut headline = String::new();
    if ending.outcome() == RunOutcome::Finished {
        job.part("trained", || watch.whole(&model, "trained"))?;
        headline = format!("test accuracy {:.2} %", 100.0 * score(model.frozen.as_ref(), &test)?.accuracy);
    }
    Ok(Some(Record::new(ending, headline)))
}

/// Measures on the way.
struct Watch<'a> {
    bench: &'a Bench<'a>,
    course: &'a Course,
    samples: Points,
}

impl Watch<'_> {
    fn depth(&self) -> usize {
        layers_of(&self.course.model)
    }

    /// Gradients after so many steps, if they belong to a moment.
    fn moment(&self, model: &Model, step: usize) -> Result<()> {
        let iterations = self.course.fit.iterations;
        let is_at = |moment: &&f64| (**moment * iterations as f64).round() as usize == step;
        let Some(&moment) = self.course.moments.iter().find(is_at) else { return Ok(()) };
        let twin = self.bench.in_double(&self.course.model, model)?;
        let network = self.bench.halt.network(twin.frozen.as_ref());
        let rows = flow_rows(self.bench, &network, &self.samples, self.depth(), moment, DType::F64)?;
        rows.iter().try_for_each(|row| self.bench.job.log("flow.csv", row))
    }

    /// What is measured at the start and at the end alone.
    fn whole(&self, model: &Model, state: &str) -> Result<()> {
        let (bench, course) = (self.bench, self.course);
        let twin = bench.in_double(&course.model, model)?;
        let network = bench.halt.network(twin.frozen.as_ref());
        if state == "start" {
            settle(&network, &self.samples.inputs.to_dtype(DType::F64)?)?;
        }
        let (places, points) = bench.points(&course.board, course.points, "jacobian/points")?;
        let xs = points.inputs.to_dtype(DType::F64)?;
        let parts = network.parts()?;
        let to_outputs = |xs: &Tensor| network.forward(xs, Mode::Eval);
        let to_hidden = |xs: &Tensor| hidden(&parts, xs);
        let functions: [(&str, &RowFunction<'_>); 2] = [("hidden", &to_hidden), ("outputs", &to_outputs)];
        for (to, function) in functions {
            let row = |(place, extent): (&usize, Extent)| {
                let (row, column) = course.board.place(*place);
                ExtentRow {
                    arm: bench.spec.arm.clone(),
                    seed: bench.spec.seed.0,
                    state: state.into(),
                    to: to.into(),
                    row,
                    column,
                    most: extent.most,
                    least: extent.least,
                }
            };
            let rows = places.iter().zip(extents(function, &xs)?).map(row);
            rows.into_iter().try_for_each(|row| bench.job.log("extents.csv", &row))?;
        }
        let ascent = Ascent { pairs: course.pairs, steps: course.steps };
        bench.job.log("stretch.csv", &stretch_row(bench, &network, INPUTS, self.depth(), state, ascent)?)
    }
}
