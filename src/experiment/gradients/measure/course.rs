//! A network through a training on the checkerboard.

use super::rows::{ExtentRow, FlowRow, StretchRow};
use super::start::{flow_rows, stretch_row};
use super::{Bench, Course, hidden, settle};
use crate::data::Points;
use crate::data::checkerboard::Split;
use crate::engine::runs::{self, Record, RunOutcome, Tick};
use crate::evaluate::accuracy::score;
use crate::evaluate::gradient::{Ascent, Extent, RowFunction, extents};
use crate::experiment::checkerboard::{INPUTS, OUTPUTS, data_hash};
use crate::experiment::gradients::spec::layers_of;
use crate::model::{Model, Network};
use crate::nn::Mode;
use crate::train::Report;
use anyhow::Result;
use candle_core::{DType, Tensor};

/// Trains, and measures at the start, on the way, and at the end; None if it was stopped.
pub(super) fn run(bench: &Bench<'_>, course: &Course, tick: &mut Tick<'_>) -> Result<Option<Record>> {
    let (seed, device) = (bench.spec.seed, bench.device);
    let split = Split::of(&course.split, &course.board, seed)?;
    let [train, test] = [&split.train, &split.test].map(|places| course.board.select(places, device));
    let (train, test) = (train?, test?);
    let model = course.model.build(INPUTS, OUTPUTS, seed, device)?;
    let (_, samples) = bench.points(&course.board, course.samples, "norms/points")?;
    let (flow, extents, stretch) = (Vec::new(), Vec::new(), Vec::new());
    let mut watch = Watch { bench, course, samples, flow, extents, stretch };
    watch.whole(&model, "start")?;
    watch.moment(&model, 0)?;
    let run = (data_hash(&course.board, &split), bench.started);
    let look = |report: &Report, model: &Model| watch.moment(model, report.step).map(|()| None);
    let Some((ending, epochs)) = runs::train(bench.spec, (&model, &train, &course.fit), run, tick, look)? else {
        return Ok(None);
    };
    let mut headline = String::new();
    if ending.outcome() == RunOutcome::Finished {
        watch.whole(&model, "trained")?;
        headline = format!("test accuracy {:.2} %", 100.0 * score(model.frozen.as_ref(), &test)?.accuracy);
    }
    let record = Record::new(ending, headline).rows("epochs.csv", &epochs)?.rows("flow.csv", &watch.flow)?;
    record.rows("extents.csv", &watch.extents)?.rows("stretch.csv", &watch.stretch).map(Some)
}

/// Measures on the way.
struct Watch<'a> {
    bench: &'a Bench<'a>,
    course: &'a Course,
    samples: Points,
    flow: Vec<FlowRow>,
    extents: Vec<ExtentRow>,
    stretch: Vec<StretchRow>,
}

impl Watch<'_> {
    fn depth(&self) -> usize {
        layers_of(&self.course.model)
    }

    /// Gradients after so many steps, if they belong to a moment.
    fn moment(&mut self, model: &Model, step: usize) -> Result<()> {
        let iterations = self.course.fit.iterations;
        let is_at = |moment: &&f64| (**moment * iterations as f64).round() as usize == step;
        let Some(&moment) = self.course.moments.iter().find(is_at) else { return Ok(()) };
        let twin = self.bench.in_double(&self.course.model, model)?;
        let network = self.bench.halt.network(twin.frozen.as_ref());
        self.flow.extend(flow_rows(self.bench, &network, &self.samples, self.depth(), moment, DType::F64)?);
        Ok(())
    }

    /// What is measured at the start and at the end alone.
    fn whole(&mut self, model: &Model, state: &str) -> Result<()> {
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
            self.extents.extend(places.iter().zip(extents(function, &xs)?).map(row));
        }
        let ascent = Ascent { pairs: course.pairs, steps: course.steps };
        self.stretch.push(stretch_row(bench, &network, INPUTS, self.depth(), state, ascent)?);
        Ok(())
    }
}
