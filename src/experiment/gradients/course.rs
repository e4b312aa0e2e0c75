//! A network through a training on the checkerboard.

use super::start::{flow_rows, stretch_row};
use super::{hidden, in_double, points, settle};
use crate::config::gradients::{Course, ProbeSpec, layers_of};
use crate::data::Points;
use crate::data::checkerboard::Split;
use crate::evaluate::accuracy::score;
use crate::evaluate::gradient::{Ascent, Extent, RowFunction, extents};
use crate::experiment::checkerboard::{INPUTS, OUTPUTS, data_hash};
use crate::experiment::halt::Halt;
use crate::experiment::scheduler::Tick;
use crate::experiment::training::{self, epoch_row};
use crate::model::{Model, Network};
use crate::nn::Mode;
use crate::record::gradients::{ExtentRow, ProbeRecord, Rows};
use crate::record::{EpochRow, RunOutcome};
use crate::train::{Control, Observer, Report, StepReport, Streams, fit};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// Trains, and measures at the start, on the way, and at the end; None if it was stopped.
pub(super) fn run(
    spec: &ProbeSpec,
    course: &Course,
    device: &Device,
    tick: &mut Tick<'_>,
    halt: &Halt<'_>,
) -> Result<Option<ProbeRecord>> {
    let started = training::start();
    let split = Split::of(&course.split, &course.board, spec.seed)?;
    let [train, test] = [&split.train, &split.test].map(|places| course.board.select(places, device));
    let (train, test) = (train?, test?);
    let model = course.model.build(INPUTS, OUTPUTS, spec.seed, device)?;
    let (_, samples) = points(&course.board, course.samples, spec.seed, "norms/points", device)?;
    let mut watch =
        Watch { spec, course, samples, device, tick, halt, epochs: Vec::new(), rows: Rows::default(), failed: None };
    watch.whole(&model, "start")?;
    watch.moment(&model, 0)?;
    let (batches, noise) = (&mut spec.seed.stream("batch"), &mut spec.seed.stream("noise"));
    let outcome = fit(&model, &train, &course.fit, Streams { batches, noise }, &mut watch)?;
    if let Some(error) = watch.failed {
        return Err(error);
    }
    let Some(ending) = training::ending(outcome, &model, data_hash(&course.board, &split), started) else {
        return Ok(None);
    };
    let mut headline = String::new();
    if ending.outcome() == RunOutcome::Finished {
        watch.whole(&model, "trained")?;
        headline = format!("test accuracy {:.2} %", 100.0 * score(model.frozen.as_ref(), &test)?.accuracy);
    }
    Ok(Some(ProbeRecord { ending, headline, epochs: watch.epochs, rows: watch.rows }))
}

/// Measures on the way.
struct Watch<'a> {
    spec: &'a ProbeSpec,
    course: &'a Course,
    samples: Points,
    device: &'a Device,
    tick: &'a mut Tick<'a>,
    halt: &'a Halt<'a>,
    epochs: Vec<EpochRow>,
    rows: Rows,
    /// An error of a measurement: an observer can only hand on candle's.
    failed: Option<anyhow::Error>,
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
        let twin = in_double(&self.course.model, model, INPUTS, OUTPUTS, self.device)?;
        let rows = flow_rows(
            self.spec,
            &self.halt.network(twin.frozen.as_ref()),
            &self.samples,
            self.depth(),
            moment,
            DType::F64,
        )?;
        self.rows.flow.extend(rows);
        Ok(())
    }

    /// What is measured at the start and at the end alone.
    fn whole(&mut self, model: &Model, state: &str) -> Result<()> {
        let (spec, course) = (self.spec, self.course);
        let twin = in_double(&course.model, model, INPUTS, OUTPUTS, self.device)?;
        let network = self.halt.network(twin.frozen.as_ref());
        if state == "start" {
            settle(&network, &self.samples.inputs.to_dtype(DType::F64)?)?;
        }
        let (places, points) = points(&course.board, course.points, spec.seed, "jacobian/points", self.device)?;
        let xs = points.inputs.to_dtype(DType::F64)?;
        let parts = network.parts()?;
        let to_outputs = |xs: &Tensor| network.forward(xs, Mode::Eval);
        let to_hidden = |xs: &Tensor| hidden(&parts, xs);
        let functions: [(&str, &RowFunction<'_>); 2] = [("hidden", &to_hidden), ("outputs", &to_outputs)];
        for (to, function) in functions {
            let row = |(place, extent): (&usize, Extent)| {
                let (row, column) = course.board.place(*place);
                ExtentRow {
                    arm: spec.arm.clone(),
                    seed: spec.seed.0,
                    state: state.into(),
                    to: to.into(),
                    row,
                    column,
                    most: extent.most,
                    least: extent.least,
                }
            };
            self.rows.extents.extend(places.iter().zip(extents(function, &xs)?).map(row));
        }
        let ascent = Ascent { pairs: course.pairs, steps: course.steps };
        let stretch = stretch_row(spec, &network, INPUTS, self.depth(), state, ascent, self.device)?;
        self.rows.stretch.push(stretch);
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, report: StepReport) -> Control {
        if self.failed.is_some() {
            return Control::Stop;
        }
        (self.tick)(report.step, &|| report.to_string())
    }

    fn report(&mut self, report: Report, model: &Model) -> candle_core::Result<()> {
        self.epochs.push(epoch_row(self.spec, report, None));
        if let Err(error) = self.moment(model, report.step) {
            self.failed.get_or_insert(error);
        }
        Ok(())
    }
}
