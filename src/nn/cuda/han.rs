//! Stacks of Han-layers as one operation on a GPU: `han.cu` launched once for all layers of a stack, or for the two along one axis of a Han
//! block.

use super::buffers::{Number, on_gpu, uninitialised, view, wrapped};
use super::compile::{Program, kernel, launch};
use super::plan::{Part, Plan};
use super::variant::{Variant, WIDEST};
use crate::nn::fused::Saved;
use crate::nn::kernels::han::Record;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

/// Whether [`apply`] takes a tensor with layers of some widths.
pub fn has_kernel(xs: &Tensor, widths: &[usize]) -> bool {
    xs.device().is_cuda()
        && matches!(xs.dtype(), DType::F32 | DType::F64)
        && widths.iter().all(|width| *width <= WIDEST)
}

/// The layers' result as a node of the graph. An empty batch is its own result: nothing can be launched for it.
///
/// # Errors
/// When types or devices differ, or the device fails.
pub fn apply(plan: Plan, xs: &Tensor, direction: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let [found, expected, other] = [xs, direction, bias].map(Tensor::dtype);
    if found != expected || expected != other {
        let [expected, found] = [expected, found].map(|dtype| dtype.as_str());
        bail!("{NAME} with parameters of type {expected} takes tensors of that type, got {found}");
    }
    if xs.elem_count() == 0 {
        return Ok(xs.clone());
    }
    let tracked = xs.track_op() || direction.track_op() || bias.track_op();
    let record = if tracked { Record::Tape } else { Record::Nothing };
    let trained = direction.track_op() || bias.track_op();
    let op = HanOp { plan, record, trained, kept: Saved::default() };
    xs.contiguous()?.apply_op3(&direction.contiguous()?, &bias.contiguous()?, op)
}

const NAME: &str = "han-stack";

impl Program for Variant {
    const SOURCE: &'static str = include_str!("han.cu");
    const FILE: &'static str = "han.cu";

    fn name(&self) -> String {
        Self::name(*self)
    }

    fn options(&self) -> Vec<String> {
        Self::options(*self)
    }
}

/// The operation on (x, u, b).
struct HanOp {
    plan: Plan,
    record: Record,
    /// Whether somebody reads the gradients of u and b.
    trained: bool,
    kept: Saved,
}

/// What the forward pass leaves. Inputs are rebuilt from the output by the parameters that made it: a step of an optimizer may come in
/// between.
struct Tape<T> {
    unit: CudaSlice<T>,
    bias: CudaSlice<T>,
    /// Lengths of the directions, 0 for those that stand for the identity.
    length: CudaSlice<f64>,
    /// Two bits for each entry after each layer.
    signs: CudaSlice<u32>,
}

/// The pointer that stands for no buffer.
const NOWHERE: u64 = 0;

impl HanOp {
    #[allow(unsafe_code, reason = "kernels are foreign functions")]
    fn forward<T: Number>(&self, inputs: [(&CudaStorage, &Layout); 3]) -> Result<(CudaStorage, Shape)> {
        let [x, direction, bias] = [view::<T>(inputs[0])?, view::<T>(inputs[1])?, view::<T>(inputs[2])?];
        let device = inputs[0].0.device();
        let (plan, legs) = (&self.plan, self.plan.legs::<T>());
        let recorded = if self.record == Record::Tape { legs.last().map_or(0, |leg| leg.signs.end) } else { 0 };
        let mut unit = uninitialised::<T>(device, direction.len())?;
        let mut length = uninitialised::<f64>(device, plan.layers())?;
        let mut signs = uninitialised::<u32>(device, recorded.max(1))?;
        let mut output = uninitialised::<T>(device, x.len())?;

        for (place, part) in plan.parts.iter().enumerate() {
            let entries = part.entries(0..part.layers);
            let normalise = kernel(device, &part.variant::<T>(), "normalise")?;
            let (direction, mut unit) = (direction.slice(entries.clone()), unit.slice_mut(entries));
            let mut length = length.slice_mut(plan.layers_of(place));
            let mut arguments = normalise.builder();
            arguments.arg(&direction).arg(&mut unit).arg(&mut length);
            // SAFETY: a block for each layer, and buffers of as many rows and lengths.
            unsafe { launch(arguments, part.layers, 32) }?;
        }
        for (place, leg) in legs.into_iter().enumerate() {
            let part = plan.parts[leg.part];
            let entries = part.entries(leg.layers.clone());
            let forward = kernel(device, &part.variant::<T>(), "forward")?;
            let (unit, bias) = (unit.slice(entries.clone()), bias.slice(entries));
            let (samples, inner, depth) = sizes(part, leg.layers.len())?;
            let mut words = (recorded > 0).then(|| signs.slice_mut(leg.signs));
            let mut arguments = forward.builder();
            if place == 0 {
                arguments.arg(&x)
            } else {
                arguments.arg(&NOWHERE)
            };
            arguments.arg(&mut output).arg(&unit).arg(&bias);
            match &mut words {
                Some(words) => arguments.arg(words),
                None => arguments.arg(&NOWHERE),
            };
            arguments.arg(&samples).arg(&inner).arg(&depth);
            // SAFETY: x and output have the entries of all samples, the parameters `depth` rows, the signs their words for each.
            unsafe { launch(arguments, part.blocks::<T>(), part.variant::<T>().threads()) }?;
        }
        if self.record == Record::Tape {
            let mut kept = uninitialised::<T>(device, bias.len())?;
            device.memcpy_dtod(&bias, &mut kept)?;
            self.kept.put(Tape { unit, bias: kept, length, signs });
        }
        Ok((CudaStorage::wrap_cuda_slice(output, device.clone()), inputs[0].1.shape().clone()))
    }

    /// dL/dx, and where the layers are trained dL/du and dL/db, in the shapes of those three.
    #[allow(unsafe_code, reason = "kernels are foreign functions")]
    fn backward<T: Number>(
        &self,
        output: (&CudaStorage, &Layout),
        gradient: (&CudaStorage, &Layout),
        like: [&Tensor; 3],
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Tape { unit, bias, length, signs } = self.kept.get::<Tape<T>>()?;
        let device = output.0.device();
        let [output, gradient] = [view::<T>(output)?, view::<T>(gradient)?];
        let plan = &self.plan;
        let legs = plan.legs::<T>();
        // What one leg rebuilds is what the leg before it put out.
        let mut rebuilt = if legs.len() > 1 { Some(uninitialised::<T>(device, output.len())?) } else { None };
        let mut input_gradient = uninitialised::<T>(device, output.len())?;
        let trained = plan.parts.iter().filter(|_| self.trained);
        let sums = |part: &Part| uninitialised::<T>(device, part.layers * part.sums::<T>());
        let mut partial = trained.map(sums).collect::<Result<Vec<_>>>()?;

        for (place, leg) in legs.into_iter().rev().enumerate() {
            let part = plan.parts[leg.part];
            let entries = part.entries(leg.layers.clone());
            let backward = kernel(device, &part.variant::<T>(), "backward")?;
            let (unit, bias, signs) = (unit.slice(entries.clone()), bias.slice(entries), signs.slice(leg.signs));
            let of_layer = part.sums::<T>();
            let rows = leg.layers.start * of_layer..leg.layers.end * of_layer;
            let mut partial = partial.get_mut(leg.part).map(|partial| partial.slice_mut(rows));
            let (samples, inner, depth) = sizes(part, leg.layers.len())?;
            let mut arguments = backward.builder();
            if place == 0 {
                arguments.arg(&output).arg(&gradient)
            } else {
                arguments.arg(&NOWHERE).arg(&NOWHERE)
            };
            match &mut rebuilt {
                Some(rebuilt) => arguments.arg(rebuilt),
                None => arguments.arg(&NOWHERE),
            };
            arguments.arg(&mut input_gradient).arg(&unit).arg(&bias).arg(&signs);
            match &mut partial {
                Some(partial) => arguments.arg(partial),
                None => arguments.arg(&NOWHERE),
            };
            arguments.arg(&samples).arg(&inner).arg(&depth);
            // SAFETY: as forward; `partial` has two rows for each layer and block.
            unsafe { launch(arguments, part.blocks::<T>(), part.variant::<T>().threads()) }?;
        }

        let [of_x, of_direction, of_bias] = like.map(|like| like.shape().clone());
        let of_x = Some(wrapped(input_gradient, device, of_x));
        if !self.trained {
            return Ok((of_x, None, None));
        }
        let mut direction_gradient = uninitialised::<T>(device, bias.len())?;
        let mut bias_gradient = uninitialised::<T>(device, bias.len())?;
        for (place, (part, partial)) in plan.parts.iter().zip(&partial).enumerate() {
            let (entries, blocks) = (part.entries(0..part.layers), i32::try_from(part.blocks::<T>())?);
            let finish = kernel(device, &part.variant::<T>(), "finish")?;
            let (unit, length) = (unit.slice(entries.clone()), length.slice(plan.layers_of(place)));
            let mut direction_gradient = direction_gradient.slice_mut(entries.clone());
            let mut bias_gradient = bias_gradient.slice_mut(entries);
            let mut arguments = finish.builder();
            arguments.arg(partial).arg(&unit).arg(&length);
            arguments.arg(&mut direction_gradient).arg(&mut bias_gradient).arg(&blocks);
            // SAFETY: a block for each layer, and buffers of as many rows.
            unsafe { launch(arguments, part.layers, 1024) }?;
        }
        let of_direction = wrapped(direction_gradient, device, of_direction);
        Ok((of_x, Some(of_direction), Some(wrapped(bias_gradient, device, of_bias))))
    }
}

/// Samples, distance of a sample's entries, and layers, as the kernels take them.
fn sizes(part: Part, layers: usize) -> Result<(i64, i64, i32)> {
    Ok((i64::try_from(part.geometry.samples())?, i64::try_from(part.geometry.inner)?, i32::try_from(layers)?))
}

impl CustomOp3 for HanOp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("this {NAME} runs on a GPU alone")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        direction: &CudaStorage,
        direction_layout: &Layout,
        bias: &CudaStorage,
        bias_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let inputs = [(x, x_layout), (direction, direction_layout), (bias, bias_layout)];
        match x.dtype() {
            DType::F32 => self.forward::<f32>(inputs),
            _ => self.forward::<f64>(inputs),
        }
    }

    fn bwd(
        &self,
        x: &Tensor,
        direction: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let guards = [output, &gradient].map(Tensor::storage_and_layout);
        let [output, gradient] = &guards;
        let (output, gradient) = (on_gpu(&output.0, output.1)?, on_gpu(&gradient.0, gradient.1)?);
        let like = [x, direction, bias];
        match x.dtype() {
            DType::F32 => self.backward::<f32>(output, gradient, like),
            _ => self.backward::<f64>(output, gradient, like),
        }
    }
}
