//! Operations whose forward and backward passes are kernels of ours, as nodes of candle's graph.
//!
//! An operation is written once, for every float type, as a [`Fused`]; what candle wants to see of it (storages,
//! layouts, types, one trait for each number of inputs) is here.

use super::kernels::lanes::Element;
use super::storage::{entries, is_computed};
use super::trace::{Step, Trace};
use candle_core::backprop::GradStore;
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

/// The result of a function of `N` tensors: a node of candle's graph or, with a trace, a step of the trace.
pub(super) fn apply<F: Fused<N>, const N: usize>(
    op: F,
    inputs: [&Tensor; N],
    trace: Option<&mut Trace>,
) -> Result<Tensor>
where
    Op<F>: Arity<N>,
{
    // Behind the first there are usually parameters.
    if let Some(other) = inputs.iter().find(|other| other.dtype() != inputs[0].dtype()) {
        let [expected, found] = [*other, inputs[0]].map(|tensor| tensor.dtype().as_str());
        bail!("{} with parameters of type {expected} takes tensors of that type, got {found}", F::NAME)
    }
    if let Some(trace) = &trace {
        trace.check_follows(inputs[0], F::NAME)?;
    }
    let mut inputs = inputs.map(Clone::clone);
    for input in &mut inputs {
        *input = input.contiguous()?;
    }
    let op = Op(op);
    let Some(trace) = trace else { return op.in_graph(inputs.each_ref()) };
    let output = op.outside(inputs.each_ref())?;
    trace.push(Made { output: output.clone(), inputs, op });
    Ok(output)
}

/// candle's operations have a trait for each number of inputs.
pub(super) trait Arity<const N: usize>: Sized {
    /// The result as a node of the graph.
    fn in_graph(self, inputs: [&Tensor; N]) -> Result<Tensor>;
    /// The result alone.
    fn outside(&self, inputs: [&Tensor; N]) -> Result<Tensor>;
}

impl<F: Fused<1>> Arity<1> for Op<F> {
    fn in_graph(self, [a]: [&Tensor; 1]) -> Result<Tensor> {
        a.apply_op1(self)
    }

    fn outside(&self, [a]: [&Tensor; 1]) -> Result<Tensor> {
        a.apply_op1_no_bwd(self)
    }
}

impl<F: Fused<2>> Arity<2> for Op<F> {
    fn in_graph(self, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
        a.apply_op2(b, self)
    }

    fn outside(&self, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
        a.apply_op2_no_bwd(b, self)
    }
}

impl<F: Fused<3>> Arity<3> for Op<F> {
    fn in_graph(self, [a, b, c]: [&Tensor; 3]) -> Result<Tensor> {
        a.apply_op3(b, c, self)
    }

    fn outside(&self, [a, b, c]: [&Tensor; 3]) -> Result<Tensor> {
        a.apply_op3_no_bwd(b, c, self)
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

/// An operation as candle sees it.
pub(super) struct Op<F>(F);

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
    fn backward_as<T: Element>(&self, gradient: &[T], gradients: Option<&mut GradStore>) -> Result<Option<CpuStorage>> {
        if gradient.len() != self.output.elem_count() {
            bail!("{} takes {} gradients back, got {}", F::NAME, self.output.elem_count(), gradient.len());
        }
        let found = self.op.backward_as::<T, N>(self.inputs.each_ref(), &self.output, gradient)?;
        let mut found = found.into_iter().zip(&self.inputs);
        let first = found.next().and_then(|(first, _)| first).map(T::to_cpu_storage_owned);
        let Some(gradients) = gradients else { return Ok(first) };
        for (values, input) in found {
            if is_computed(&[input]) {
                bail!("{} has a parameter that was computed from variables; use candle's graph", F::NAME);
            }
            let Some(values) = values.filter(|_| input.is_variable()) else { continue };
            let gradient = Tensor::from_vec(values, input.shape(), input.device())?;
            let sum = match gradients.remove(input) {
                Some(other) => (other + gradient)?,
                None => gradient,
            };
            gradients.insert(input, sum);
        }
        Ok(first)
    }
}

impl<F: Fused<N>, const N: usize> Step for Made<F, N> {
    fn output(&self) -> &Tensor {
        &self.output
    }

    fn backward(&self, gradient: CpuStorage, gradients: Option<&mut GradStore>) -> Result<Option<CpuStorage>> {
        match &gradient {
            CpuStorage::F32(gradient) => self.backward_as(gradient, gradients),
            CpuStorage::F64(gradient) => self.backward_as(gradient, gradients),
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
