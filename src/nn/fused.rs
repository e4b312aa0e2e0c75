//! Operations whose forward and backward passes are kernels of ours, as nodes of candle's graph.
//!
//! An operation is written once, for every float type, as a [`Fused`]; what candle wants to see of it (storages,
//! layouts, types, one trait for each number of inputs) is here.

use super::kernels::lanes::Element;
use super::storage::entries;
use super::trace::{Step, Trace};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, bail};
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// A differentiable function of `N` contiguous CPU tensors of one type.
pub(super) trait Fused<const N: usize>: Send + Sync + 'static {
    /// For messages.
    const NAME: &'static str;

    /// The shape of the result; by default that of the first input.
    fn shape(&self, first: &Shape) -> Shape {
        first.clone()
    }

    /// The entries of the result.
    fn forward<T: Element>(&self, inputs: [&[T]; N]) -> Result<Vec<T>>;

    /// dL/d(input) for every input, None where nobody will read it.
    fn backward<T: Element>(&self, pass: &Pass<'_, T, N>) -> Result<[Option<Vec<T>>; N]>;
}

/// What a backward pass is given.
pub(super) struct Pass<'a, T, const N: usize> {
    /// What the forward pass was given.
    pub inputs: [&'a [T]; N],
    /// What it returned.
    pub output: &'a [T],
    /// dL/d(output)
    pub gradient: &'a [T],
}

/// The result of a function of one tensor, as a node of the graph.
pub(super) fn apply1(op: impl Fused<1>, a: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op1(Op(op))
}

/// The result of a function of two tensors, as a node of the graph.
pub(super) fn apply2(op: impl Fused<2>, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check_types(&op, a, [b])?;
    a.contiguous()?.apply_op2(&b.contiguous()?, Op(op))
}

/// The result of a function of three tensors, as a node of the graph.
pub(super) fn apply3(op: impl Fused<3>, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    apply3_traced(op, a, b, c, None)
}

/// As [`apply3`]; with a trace, a step of it rather than a node of the graph.
pub(super) fn apply3_traced(
    op: impl Fused<3>,
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    trace: Option<&mut Trace>,
) -> Result<Tensor> {
    check_types(&op, a, [b, c])?;
    let (inputs, op) = ([a.contiguous()?, b.contiguous()?, c.contiguous()?], Op(op));
    let [a, b, c] = &inputs;
    let Some(trace) = trace else { return a.apply_op3(b, c, op) };
    let output = a.apply_op3_no_bwd(b, c, &op)?;
    trace.push(Made { output: output.clone(), inputs, op });
    Ok(output)
}

/// Whether an operation's inputs, behind the first usually parameters, are of one type.
fn check_types<F: Fused<N>, const N: usize, const M: usize>(
    _op: &F,
    first: &Tensor,
    others: [&Tensor; M],
) -> Result<()> {
    match others.into_iter().find(|other| other.dtype() != first.dtype()) {
        Some(other) => {
            let [expected, found] = [other, first].map(|tensor| tensor.dtype().as_str());
            bail!("{} with parameters of type {expected} takes tensors of that type, got {found}", F::NAME)
        }
        None => Ok(()),
    }
}

/// What a forward pass leaves for its backward pass, or for the layer that called it through a clone. An operation
/// object serves one call, so it is written once.
#[derive(Default, Clone)]
pub(super) struct Saved(Arc<OnceLock<Box<dyn Any + Send + Sync>>>);

impl Saved {
    /// Keeps a value.
    pub fn put<V: Any + Send + Sync>(&self, value: V) {
        let _ = self.0.set(Box::new(value));
    }

    /// The value kept.
    ///
    /// # Errors
    /// When the forward pass has not run.
    pub fn get<V: Any>(&self) -> Result<&V> {
        match self.0.get().and_then(|value| value.downcast_ref()) {
            Some(value) => Ok(value),
            None => bail!("a backward pass found no record of its forward pass"),
        }
    }
}

struct Op<F>(F);

impl<F> Op<F> {
    fn forward<const N: usize>(&self, inputs: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)>
    where
        F: Fused<N>,
    {
        let result = match inputs[0].0 {
            CpuStorage::F32(_) => self.forward_as::<f32, N>(inputs)?,
            _ => self.forward_as::<f64, N>(inputs)?,
        };
        Ok((result, self.0.shape(inputs[0].1.shape())))
    }

    fn forward_as<T: Element, const N: usize>(&self, inputs: [(&CpuStorage, &Layout); N]) -> Result<CpuStorage>
    where
        F: Fused<N>,
    {
        let mut slices: [&[T]; N] = [&[]; N];
        for (slice, (storage, layout)) in slices.iter_mut().zip(inputs) {
            *slice = entries(storage, layout)?;
        }
        Ok(T::to_cpu_storage_owned(self.0.forward(slices)?))
    }

    fn backward<const N: usize>(&self, inputs: [&Tensor; N], output: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; N]>
    where
        F: Fused<N>,
    {
        let gradient = g.contiguous()?;
        let (g, layout) = gradient.storage_and_layout();
        match output.dtype() {
            DType::F32 => tensors(self.backward_as::<f32, N>(inputs, output, of_cpu(&g, layout)?)?, inputs),
            _ => tensors(self.backward_as::<f64, N>(inputs, output, of_cpu(&g, layout)?)?, inputs),
        }
    }

    fn backward_as<T: Element, const N: usize>(
        &self,
        inputs: [&Tensor; N],
        output: &Tensor,
        gradient: &[T],
    ) -> Result<[Option<Vec<T>>; N]>
    where
        F: Fused<N>,
    {
        let guards = inputs.map(Tensor::storage_and_layout);
        let mut slices: [&[T]; N] = [&[]; N];
        for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
            *slice = of_cpu(storage, layout)?;
        }
        let (y, y_layout) = output.storage_and_layout();
        self.0.backward(&Pass { inputs: slices, output: of_cpu(&y, y_layout)?, gradient })
    }
}

fn tensors<T: Element, const N: usize>(
    gradients: [Option<Vec<T>>; N],
    inputs: [&Tensor; N],
) -> Result<[Option<Tensor>; N]> {
    let mut tensors = [const { None }; N];
    for ((tensor, values), input) in tensors.iter_mut().zip(gradients).zip(inputs) {
        *tensor = values.map(|values| Tensor::from_vec(values, input.shape(), input.device())).transpose()?;
    }
    Ok(tensors)
}

/// An operation outside of the graph, with what it was given and returned.
struct Made<F, const N: usize> {
    op: Op<F>,
    inputs: [Tensor; N],
    output: Tensor,
}

impl<F: Fused<N>, const N: usize> Made<F, N> {
    fn backward_as<T: Element>(&self, gradient: &[T]) -> Result<CpuStorage> {
        if gradient.len() != self.output.elem_count() {
            bail!("{} takes {} gradients back, got {}", F::NAME, self.output.elem_count(), gradient.len());
        }
        let gradients = self.op.backward_as::<T, N>(self.inputs.each_ref(), &self.output, gradient)?;
        match gradients.into_iter().next().flatten() {
            Some(first) => Ok(T::to_cpu_storage_owned(first)),
            None => bail!("{} was not asked for the gradient of its input", F::NAME),
        }
    }
}

impl<F: Fused<N>, const N: usize> Step for Made<F, N> {
    fn backward(&self, gradient: CpuStorage) -> Result<CpuStorage> {
        match &gradient {
            CpuStorage::F32(gradient) => self.backward_as(gradient),
            CpuStorage::F64(gradient) => self.backward_as(gradient),
            _ => bail!("{} takes gradients of f32 or f64", F::NAME),
        }
    }
}

fn of_cpu<'a, T: Element>(storage: &'a Storage, layout: &Layout) -> Result<&'a [T]> {
    match storage {
        Storage::Cpu(storage) => entries(storage, layout),
        _ => bail!("this operation runs on the CPU alone"),
    }
}

impl<F: Fused<1>> CustomOp1 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, a_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout)])
    }

    fn bwd(&self, a: &Tensor, output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [a] = self.backward([a], output, gradient)?;
        Ok(a)
    }
}

impl<F: Fused<2>> CustomOp2 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, output: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b] = self.backward([a, b], output, g)?;
        Ok((a, b))
    }
}

impl<F: Fused<3>> CustomOp3 for Op<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward([(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = self.backward([a, b, c], output, gradient)?;
        Ok((a, b, c))
    }
}
