//! SGD, Adam and AdamW as PyTorch defines them, with one fused pass over each parameter on the CPU and on a GPU; the composed
//! one is for other types and devices.

use super::OptimizerConfig;
#[cfg(feature = "cuda")]
use crate::nn::cuda;
use crate::nn::kernels::lanes::Element;
use crate::nn::kernels::optimizer as kernel;
use crate::nn::{Parameters, Role};
#[cfg(feature = "cuda")]
use candle_core::backend::BackendStorage;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Result, Tensor, Var, WithDType, bail};
#[cfg(feature = "cuda")]
use candle_core::{CudaStorage, cuda_backend::cudarc::driver::CudaSlice};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An update rule with its state for a fixed list of variables.
pub struct Optimizer {
    config: OptimizerConfig,
    slots: Vec<Slot>,
    steps: i32,
}

/// A variable and its moments: on the CPU plain vectors, on a GPU buffers, elsewhere tensors.
struct Slot {
    var: Var,
    /// Factors on the learning rate of equal pieces of the variable; empty for a single piece at the usual rate.
    paces: Vec<f64>,
    state: State,
}

enum State {
    Cpu(Mutex<Moments>),
    #[cfg(feature = "cuda")]
    Gpu(Mutex<cuda::optimizer::Moments>),
    Device {
        first: Var,
        second: Var,
    },
}

/// First and second moment; SGD keeps its velocity in the first and leaves the second empty.
enum Moments {
    F32(Vec<f32>, Vec<f32>),
    F64(Vec<f64>, Vec<f64>),
}

impl Optimizer {
    /// An optimizer over `vars` with zero state.
    ///
    /// # Errors
    /// When the rule has a [`OptimizerConfig::problem`], or a variable holds whole numbers.
    pub fn new(config: OptimizerConfig, vars: Vec<Var>) -> Result<Self> {
        Self::over(config, vars.into_iter().map(|var| (var, Vec::new())))
    }

    /// An optimizer over the trained parameters of a model, each at its own pace.
    ///
    /// # Errors
    /// As [`Optimizer::new`], and when the paces of a parameter do not divide it evenly.
    pub fn of(config: OptimizerConfig, parameters: &Parameters) -> Result<Self> {
        let trained = parameters.iter().filter(|parameter| parameter.role != Role::Buffer);
        Self::over(config, trained.map(|parameter| (parameter.var.clone(), parameter.paces.clone())))
    }

    fn over(config: OptimizerConfig, vars: impl Iterator<Item = (Var, Vec<f64>)>) -> Result<Self> {
        if let Some(problem) = config.problem() {
            bail!("{problem}");
        }
        let slots = vars.map(|(var, paces)| Slot::new(&config, var, paces)).collect::<Result<_>>()?;
        Ok(Self { config, slots, steps: 0 })
    }

    /// Copies of the moments by name, for [`Optimizer::restore`].
    ///
    /// # Errors
    /// When the device fails.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let moments = slot.moments()?;
            tensors.extend(NAMES.into_iter().zip(moments).map(|(name, moment)| (format!("{name}/{place}"), moment)));
        }
        Ok(tensors)
    }

    /// Goes on after so many steps from the moments of another optimizer of the same rule over variables of the same shapes.
    ///
    /// # Errors
    /// When a moment is missing, or has another size or type than its variable.
    pub fn restore(&mut self, steps: i32, tensors: &HashMap<String, Tensor>) -> Result<()> {
        if steps < 0 {
            bail!("the state of the optimizer is after {steps} steps");
        }
        for (place, slot) in self.slots.iter().enumerate() {
            let of = |name: &str| match tensors.get(&format!("{name}/{place}")) {
                Some(tensor) => Ok(tensor),
                None => bail!("the state of the optimizer lacks {name}/{place}"),
            };
            slot.set_moments([of(NAMES[0])?, of(NAMES[1])?])?;
        }
        self.steps = steps;
        Ok(())
    }

    /// Updates every variable that has a gradient. Adam's corrections for its start count the optimizer's steps; PyTorch counts
    /// those of each variable, which is another number where one gets its first gradient late.
    ///
    /// # Errors
    /// When a gradient has not the shape and type of its variable.
    pub fn step(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<()> {
        self.steps = self.steps.saturating_add(1);
        let rule = |pace: f64| Rule::at(&self.config, self.steps, learning_rate * pace);
        for slot in &self.slots {
            if let Some(gradient) = gradients.get(slot.var.as_tensor()) {
                if gradient.dims() != slot.var.dims() {
                    bail!("a variable of shape {:?} has a gradient of shape {:?}", slot.var.dims(), gradient.dims());
                }
                if slot.paces.is_empty() {
                    slot.step(&[rule(1.0)], gradient)?;
                } else {
                    slot.step(&slot.paces.iter().map(|pace| rule(*pace)).collect::<Vec<_>>(), gradient)?;
                }
            }
        }
        Ok(())
    }
}

/// What the moments are called in a state, each with the place of its variable.
const NAMES: [&str; 2] = ["first", "second"];

/// The coefficients of one step.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Sgd(kernel::Sgd),
    Adam(kernel::Adam),
}

impl Rule {
    fn at(config: &OptimizerConfig, step: i32, learning_rate: f64) -> Self {
        match *config {
            OptimizerConfig::Sgd { momentum, weight_decay } => {
                Self::Sgd(kernel::Sgd { learning_rate, momentum, weight_decay })
            }
            OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay } => Self::Adam(kernel::Adam {
                beta1,
                beta2,
                step_size: learning_rate / (1.0 - beta1.powi(step)),
                second_correction: 1.0 / (1.0 - beta2.powi(step)).sqrt(),
                epsilon,
                shrink: 1.0 - learning_rate * weight_decay,
            }),
        }
    }
}

impl Slot {
    fn new(config: &OptimizerConfig, var: Var, paces: Vec<f64>) -> Result<Self> {
        let len = var.elem_count();
        if !var.dtype().is_float() || !len.is_multiple_of(paces.len().max(1)) {
            let (dtype, pieces) = (var.dtype().as_str(), paces.len());
            bail!("a variable of {len} entries of type {dtype} cannot be trained in {pieces} pieces");
        }
        let second = if matches!(config, OptimizerConfig::Adam { .. }) { len } else { 0 };
        let state = match (var.device().is_cpu(), var.dtype()) {
            (true, DType::F32) => State::Cpu(Mutex::new(Moments::F32(vec![0.0; len], vec![0.0; second]))),
            (true, DType::F64) => State::Cpu(Mutex::new(Moments::F64(vec![0.0; len], vec![0.0; second]))),
            #[cfg(feature = "cuda")]
            (false, DType::F32 | DType::F64) if var.device().is_cuda() => {
                let moments = cuda::optimizer::Moments::zeros(var.device().as_cuda_device()?, var.dtype(), len)?;
                State::Gpu(Mutex::new(moments))
            }
            _ => {
                let zeros = || Var::zeros(var.shape(), var.dtype(), var.device());
                State::Device { first: zeros()?, second: zeros()? }
            }
        };
        Ok(Self { var, paces, state })
    }

    /// Copies of both moments; the second of SGD is empty on the CPU.
    fn moments(&self) -> Result<[Tensor; 2]> {
        match &self.state {
            State::Cpu(moments) => match &*lock(moments) {
                Moments::F32(first, second) => Ok([flat(first)?, flat(second)?]),
                Moments::F64(first, second) => Ok([flat(first)?, flat(second)?]),
            },
            #[cfg(feature = "cuda")]
            State::Gpu(moments) => lock(moments).copies(self.var.device().as_cuda_device()?),
            State::Device { first, second } => {
                let copied = |var: &Var| var.as_detached_tensor().to_device(&Device::Cpu)?.copy();
                Ok([copied(first)?, copied(second)?])
            }
        }
    }

    fn set_moments(&self, [first, second]: [&Tensor; 2]) -> Result<()> {
        match &self.state {
            State::Cpu(moments) => match &mut *lock(moments) {
                Moments::F32(m, v) => fill(m, first).and_then(|()| fill(v, second)),
                Moments::F64(m, v) => fill(m, first).and_then(|()| fill(v, second)),
            },
            #[cfg(feature = "cuda")]
            State::Gpu(moments) => lock(moments).set(self.var.device().as_cuda_device()?, [first, second]),
            State::Device { first: m, second: v } => {
                m.set(&first.to_device(m.device())?).and_then(|()| v.set(&second.to_device(v.device())?))
            }
        }
    }

    /// One step by a rule for each piece of the variable.
    fn step(&self, rules: &[Rule], gradient: &Tensor) -> Result<()> {
        match &self.state {
            State::Cpu(moments) => {
                self.var.as_tensor().inplace_op2(&gradient.contiguous()?.detach(), &Update { rules, moments })
            }
            #[cfg(feature = "cuda")]
            State::Gpu(moments) => {
                self.var.as_tensor().inplace_op2(&gradient.contiguous()?.detach(), &GpuUpdate { rules, moments })
            }
            State::Device { first, second } => step_composed(rules, &self.var, gradient, first, second),
        }
    }
}

/// A thread that panicked here has already ended the run.
fn lock<M>(moments: &Mutex<M>) -> MutexGuard<'_, M> {
    moments.lock().unwrap_or_else(PoisonError::into_inner)
}

fn flat<T: WithDType>(entries: &[T]) -> Result<Tensor> {
    Tensor::from_slice(entries, entries.len(), &Device::Cpu)
}

fn fill<T: WithDType>(entries: &mut Vec<T>, from: &Tensor) -> Result<()> {
    let values = from.to_vec1::<T>()?;
    if values.len() != entries.len() {
        bail!("a moment of {} entries stands for one of {}", values.len(), entries.len());
    }
    *entries = values;
    Ok(())
}

/// The update on the CPU: writes through the variable, so that every layer that shares it sees the new value.
struct Update<'a> {
    /// One for each piece of the variable.
    rules: &'a [Rule],
    moments: &'a Mutex<Moments>,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimizer-step"
    }

    fn cpu_fwd(&self, var: &mut CpuStorage, layout: &Layout, gradient: &CpuStorage, from: &Layout) -> Result<()> {
        let (Some((start, end)), Some((g_start, g_end))) = (layout.contiguous_offsets(), from.contiguous_offsets())
        else {
            bail!("an optimizer updates contiguous variables alone");
        };
        let mut moments = lock(self.moments);
        match (var, gradient, &mut *moments) {
            (CpuStorage::F32(w), CpuStorage::F32(g), Moments::F32(m, v)) => {
                self.apply(&mut w[start..end], &g[g_start..g_end], m, v);
            }
            (CpuStorage::F64(w), CpuStorage::F64(g), Moments::F64(m, v)) => {
                self.apply(&mut w[start..end], &g[g_start..g_end], m, v);
            }
            _ => bail!("a variable and its gradient differ in type"),
        }
        Ok(())
    }
}

impl Update<'_> {
    fn apply<T: Element>(&self, weight: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T]) {
        let piece = weight.len() / self.rules.len().max(1);
        for (place, rule) in self.rules.iter().enumerate() {
            let range = place * piece..(place + 1) * piece;
            // SGD keeps no second moment.
            let second = second.get_mut(range.clone()).unwrap_or_default();
            rule.apply(&mut weight[range.clone()], &gradient[range.clone()], &mut first[range], second);
        }
    }
}

impl Rule {
    fn apply<T: Element>(self, weight: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T]) {
        match self {
            Self::Sgd(step) => kernel::sgd(step, weight, gradient, first),
            Self::Adam(step) => kernel::adam(step, weight, gradient, first, second),
        }
    }
}

/// The update on a GPU.
#[cfg(feature = "cuda")]
struct GpuUpdate<'a> {
    /// One for each piece of the variable.
    rules: &'a [Rule],
    moments: &'a Mutex<cuda::optimizer::Moments>,
}

#[cfg(feature = "cuda")]
impl InplaceOp2 for GpuUpdate<'_> {
    fn name(&self) -> &'static str {
        "optimizer-step"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("this update runs on a GPU alone")
    }

    fn cuda_fwd(&self, var: &mut CudaStorage, layout: &Layout, gradient: &CudaStorage, from: &Layout) -> Result<()> {
        match &mut *lock(self.moments) {
            cuda::optimizer::Moments::F32(moments) => self.apply((var, layout), (gradient, from), moments),
            cuda::optimizer::Moments::F64(moments) => self.apply((var, layout), (gradient, from), moments),
        }
    }
}

#[cfg(feature = "cuda")]
impl GpuUpdate<'_> {
    fn apply<T: cuda::Number>(
        &self,
        (var, layout): (&mut CudaStorage, &Layout),
        gradient: (&CudaStorage, &Layout),
        [first, second]: &mut [CudaSlice<T>; 2],
    ) -> Result<()> {
        let device = gradient.0.device();
        let (Some((start, end)), gradient) = (layout.contiguous_offsets(), cuda::view::<T>(gradient)?) else {
            bail!("an optimizer updates contiguous variables alone");
        };
        let mut var = var.as_cuda_slice_mut::<T>()?.slice_mut(start..end);
        let piece = gradient.len() / self.rules.len().max(1);
        for (place, rule) in self.rules.iter().enumerate() {
            let range = place * piece..(place + 1) * piece;
            let (mut var, gradient) = (var.slice_mut(range.clone()), gradient.slice(range.clone()));
            let (mut first, mut second) = (first.slice_mut(range.clone()), second.slice_mut(range));
            match rule {
                Rule::Sgd(step) => cuda::optimizer::sgd(device, *step, &mut var, &gradient, &mut first)?,
                Rule::Adam(step) => {
                    cuda::optimizer::adam(device, *step, &mut var, &gradient, [&mut first, &mut second])?;
                }
            }
        }
        Ok(())
    }
}

/// The same update composed of candle operations. The moments are variables set in place: plain tensors made from
/// gradients would keep every graph alive.
fn step_composed(rules: &[Rule], var: &Var, gradient: &Tensor, first: &Var, second: &Var) -> Result<()> {
    if rules.len() > 1 {
        return pieces_composed(rules, var, gradient, first, second);
    }
    let Some(rule) = rules.first() else { return Ok(()) };
    let (w, g) = (var.as_detached_tensor(), gradient.detach());
    let (m, v) = (first.as_detached_tensor(), second.as_detached_tensor());
    match *rule {
        Rule::Sgd(kernel::Sgd { learning_rate, momentum, weight_decay }) => {
            let velocity = ((m * momentum)? + (g + (&w * weight_decay)?)?)?;
            first.set(&velocity)?;
            var.set(&(w - (velocity * learning_rate)?)?)
        }
        Rule::Adam(kernel::Adam { beta1, beta2, step_size, second_correction, epsilon, shrink }) => {
            let m = ((m * beta1)? + (&g * (1.0 - beta1))?)?;
            let v = ((v * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
            let update = (&m / ((v.sqrt()? * second_correction)? + epsilon)?)?;
            first.set(&m)?;
            second.set(&v)?;
            var.set(&((w * shrink)? - (update * step_size)?)?)
        }
    }
}

/// Every piece by itself, and the variable put together again.
fn pieces_composed(rules: &[Rule], var: &Var, gradient: &Tensor, first: &Var, second: &Var) -> Result<()> {
    let whole = [var.as_detached_tensor(), gradient.detach(), first.as_detached_tensor(), second.as_detached_tensor()];
    let len = var.elem_count() / rules.len();
    let mut updated = [const { Vec::new() }; 3];
    for (place, rule) in rules.iter().enumerate() {
        let piece = |tensor: &Tensor| tensor.flatten_all()?.narrow(0, place * len, len)?.copy();
        let [w, g, m, v] = [&whole[0], &whole[1], &whole[2], &whole[3]].map(piece);
        let vars = [Var::from_tensor(&w?)?, Var::from_tensor(&m?)?, Var::from_tensor(&v?)?];
        step_composed(std::slice::from_ref(rule), &vars[0], &g?, &vars[1], &vars[2])?;
        updated.iter_mut().zip(&vars).for_each(|(all, var)| all.push(var.as_detached_tensor()));
    }
    for (var, pieces) in [var, first, second].into_iter().zip(&updated) {
        var.set(&Tensor::cat(pieces, 0)?.reshape(var.shape())?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_composed_update_equals_the_fused_one() -> Result<()> {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu);
        for config in [
            OptimizerConfig::Sgd { momentum: 0.9, weight_decay: 0.01 },
            OptimizerConfig::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 },
        ] {
            let fused = Var::from_tensor(&tensor(&[1.0, -2.0, 0.5])?)?;
            let composed = Var::from_tensor(&fused.copy()?)?;
            let zeros = || Var::zeros(3, DType::F64, &Device::Cpu);
            for paces in [vec![], vec![1.0, 0.25, 0.0]] {
                let slot = Slot::new(&config, fused.clone(), paces.clone())?;
                let (first, second) = (zeros()?, zeros()?);
                for step in 1..=5 {
                    let gradient = tensor(&[0.3 * f64::from(step), -0.1, 2.0])?;
                    let rate = |pace: &f64| Rule::at(&config, step, 0.05 * pace);
                    let rules: Vec<Rule> =
                        if paces.is_empty() { vec![rate(&1.0)] } else { paces.iter().map(rate).collect() };
                    slot.step(&rules, &gradient)?;
                    step_composed(&rules, &composed, &gradient, &first, &second)?;
                }
            }
            for (a, b) in fused.to_vec1::<f64>()?.iter().zip(composed.to_vec1::<f64>()?) {
                assert!((a - b).abs() < 1e-14, "{config:?}: {a} is not {b}");
            }
        }
        Ok(())
    }
}
