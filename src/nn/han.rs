//! The Han-layer and stacks of it.
//!
//! ```text
//! y = | x - 2 (u.x) / (u.u) u + b |        x, u, b, y in R^d
//! ```
//!
//! A Householder reflection, a shift and the absolute value: 2 d parameters, O(d) work, a Jacobian diag(sign z) H(u)
//! that is orthogonal wherever no z_i is 0, hence 1-Lipschitz and of constant gradient norm at any depth
//! (Yueyao Yu and Yin Zhang, "A Lightweight and Gradient-Stable Neural Layer", Neural Networks 175, 2024, Section 2).
//!
//! Only the direction of u matters. u = 0 has none: it is refused when a layer is made, and should training ever get
//! there (the layer's gradient is orthogonal to u, so u does not shrink by it) the layer is |x + b|, the limit that
//! keeps it 1-Lipschitz, with gradient 0 for u.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use candle_nn::Module;
//! use han_exp::nn::HanLayer;
//!
//! let device = Device::Cpu;
//! let layer = HanLayer::new(Tensor::new(&[3f32, 4.0], &device)?, Tensor::new(&[0f32, 0.0], &device)?)?;
//! let y = layer.forward(&Tensor::new(&[[3f32, 4.0], [4.0, -3.0]], &device)?)?;
//! // x along u is reflected to -x, x across u stays; then the absolute value.
//! let expected = Tensor::new(&[[3f32, 4.0], [4.0, 3.0]], &device)?;
//! assert!((y - expected)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
//! # Ok::<(), candle_core::Error>(())
//! ```

#[cfg(feature = "cuda")]
use super::cuda;
use super::fused::{Fused, Pass, Saved, apply};
use super::kernels::dense::Wanted;
use super::kernels::han::{self as kernel, Geometry, Record, Stack, Tape};
use super::kernels::lanes::Element;
use super::params::check_directions;
use super::storage::{check_parameters, has_kernel, is_computed, single_or_wider};
use super::trace::Trace;
use candle_core::{D, DType, Result, Tensor, bail};
use candle_nn::Module;

/// The axis along which a layer reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axis {
    /// The last one: `[.., width]`.
    #[default]
    Last,
    /// The last but one, tokens of `[batch, tokens, channels]`: every channel is a vector of `tokens` entries.
    /// Nothing is transposed.
    Tokens,
}

/// `depth` Han-layers of one width as one operation, with one node in the graph.
#[derive(Debug, Clone)]
pub struct HanStack {
    /// u and b, (layers, width) each: one tensor of all layers, or one for each layer that has variables of its own.
    direction: Vec<Tensor>,
    bias: Vec<Tensor>,
    axis: Axis,
}

impl HanStack {
    /// A stack from the rows of `direction` (the paper's u) and `bias` (b), the first row applied first.
    ///
    /// # Shapes
    /// - direction: (depth, width)
    /// - bias: (depth, width)
    ///
    /// # Errors
    /// When the shapes differ or are not of rank 2, or when a direction is zero or not finite: its reflection is
    /// undefined.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use candle_nn::Module;
    /// use han_exp::nn::HanStack;
    ///
    /// let (directions, biases) = (Tensor::ones((3, 4), DType::F32, &Device::Cpu)?, Tensor::zeros((3, 4), DType::F32, &Device::Cpu)?);
    /// let stack = HanStack::new(directions, biases)?;
    /// assert_eq!(stack.forward(&Tensor::ones((2, 4), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn new(direction: Tensor, bias: Tensor) -> Result<Self> {
        let (depth, width) = direction.dims2()?;
        if bias.dims() != direction.dims() {
            bail!(
                "a Han stack needs biases of the shape of its directions, {:?}, got {:?}",
                direction.dims(),
                bias.dims()
            );
        }
        check_size(depth, width)?;
        check_parameters(&[&direction, &bias])?;
        check_directions(&direction)?;
        Ok(Self::unchecked(direction, bias, Axis::Last))
    }

    /// The given layers as one operation. They keep their parameters: what is set there changes the stack, and gradients
    /// reach them.
    pub(super) fn of(layers: Vec<HanLayer>) -> Self {
        let (direction, bias) =
            layers.into_iter().flat_map(|layer| layer.0.direction.into_iter().zip(layer.0.bias)).unzip();
        Self { direction, bias, axis: Axis::Last }
    }

    /// A stack of parameters that are known to be right.
    pub(super) fn unchecked(direction: Tensor, bias: Tensor, axis: Axis) -> Self {
        Self { direction: vec![direction], bias: vec![bias], axis }
    }

    /// The same parameters along another axis.
    pub fn along(self, axis: Axis) -> Self {
        Self { axis, ..self }
    }

    /// The layers one by one.
    pub fn layers(&self) -> Result<Vec<HanLayer>> {
        let rows =
            self.direction.iter().zip(&self.bias).flat_map(|both| (0..both.0.dims()[0]).map(move |row| (both, row)));
        rows.map(|((u, b), row)| Ok(HanLayer::new(u.get(row)?, b.get(row)?)?.along(self.axis))).collect()
    }

    /// u of all layers. Where each has a variable of its own, their present values.
    ///
    /// # Shapes
    /// -> (depth, width)
    ///
    /// # Errors
    /// When the device fails.
    pub fn direction(&self) -> Result<Tensor> {
        Tensor::cat(&self.direction, 0)
    }

    /// b of all layers, likewise.
    ///
    /// # Shapes
    /// -> (depth, width)
    ///
    /// # Errors
    /// When the device fails.
    pub fn bias(&self) -> Result<Tensor> {
        Tensor::cat(&self.bias, 0)
    }

    /// Whether parameters are computed from variables in every pass: then their gradients need candle's graph.
    pub(crate) fn is_computed(&self) -> bool {
        self.direction.len() > 1 || is_computed(&[&self.direction[0], &self.bias[0]])
    }

    /// Number of layers.
    pub fn depth(&self) -> usize {
        self.direction.iter().map(|rows| rows.dims()[0]).sum()
    }

    /// Length of the vectors that the layers reflect.
    pub fn width(&self) -> usize {
        self.direction[0].dims()[1]
    }

    fn geometry(&self, xs: &Tensor) -> Result<Geometry> {
        let dims = xs.dims();
        let width = self.width();
        let (from_the_end, behind) = match self.axis {
            Axis::Last => (1, ""),
            Axis::Tokens => (2, ", channels"),
        };
        let place = dims.len().checked_sub(from_the_end).filter(|place| dims[*place] == width);
        let Some(place) = place else {
            bail!("a Han-layer of width {width} takes tensors of shape [.., {width}{behind}], got {dims:?}");
        };
        Ok(Geometry { outer: dims[..place].iter().product(), width, inner: dims[place + 1..].iter().product() })
    }

    /// The same function composed of candle's operations: for devices and types without a kernel of ours.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    pub fn forward_composed(&self, xs: &Tensor) -> Result<Tensor> {
        self.geometry(xs)?;
        let (direction, bias) = (self.direction()?, self.bias()?);
        if direction.dtype() != xs.dtype() {
            bail!("a Han-layer of type {:?} cannot take a tensor of type {:?}", direction.dtype(), xs.dtype());
        }
        let [direction, bias, wide] = [&direction, &bias, xs].map(single_or_wider);
        let (direction, bias) = (direction?, bias?);
        // The kernel's unit vectors. Dividing by u.u instead would lose short directions: the gradient of a division
        // needs the square of u.u, which in f32 is 0 below |u| = 1e-11, and the gradient would be NaN.
        let square = direction.sqr()?.sum_keepdim(1)?; // (depth, 1)
        let zero = square.detach().le(kernel::SHORTEST * kernel::SHORTEST)?.to_dtype(square.dtype())?;
        let length = (square + &zero)?.sqrt()?;
        let unit = direction.broadcast_div(&length)?.broadcast_mul(&zero.affine(-1.0, 1.0)?)?;
        let mut h = wide?;
        for layer in 0..self.depth() {
            let v = unit.get(layer)?;
            let b = bias.get(layer)?;
            let (v, b, along) = match self.axis {
                Axis::Last => (v.clone(), b, h.broadcast_mul(&v)?.sum_keepdim(D::Minus1)?),
                Axis::Tokens => {
                    let v = v.unsqueeze(1)?; // (tokens, 1)
                    (v.clone(), b.unsqueeze(1)?, h.broadcast_mul(&v)?.sum_keepdim(D::Minus2)?)
                }
            };
            let z = h.broadcast_sub(&(along * 2.0)?.broadcast_mul(&v)?)?.broadcast_add(&b)?;
            // candle's abs has slope 1 at 0; z times its constant sign has slope 0 there, like the kernel.
            h = (&z * z.detach().sign()?)?;
        }
        h.to_dtype(xs.dtype())
    }

    /// The output of the last layer; with a trace, a step of it rather than a part of candle's graph.
    ///
    /// # Shapes
    /// As [`Module::forward`].
    ///
    /// # Errors
    /// As [`Module::forward`].
    pub fn forward_traced(&self, xs: &Tensor, trace: Option<&mut Trace>) -> Result<Tensor> {
        let geometry = self.geometry(xs)?;
        if !has_kernel(xs)? {
            Trace::refuse(trace, "a Han stack")?;
            #[cfg(feature = "cuda")]
            if cuda::has_kernel(xs, &[geometry.width]) {
                let layers = self.depth();
                let plan = cuda::Plan { parts: vec![cuda::Part { start: 0, layers, geometry }], at_once: layers };
                return cuda::apply(plan, xs, &self.direction()?, &self.bias()?);
            }
            return self.forward_composed(xs);
        }
        let (direction, bias) = (self.direction()?, self.bias()?);
        let wanted = Trace::wanted(trace.as_deref(), xs, &[&direction, &bias]);
        apply(HanOp { geometry, wanted, kept: Saved::default() }, [xs, &direction, &bias], trace)
    }
}

impl Module for HanStack {
    /// # Shapes
    /// - xs: (.., width) along [`Axis::Last`], (.., width, channels) along [`Axis::Tokens`] -> same; empty batches and tensors that
    ///   are not contiguous are taken
    ///
    /// # Errors
    /// When the shape is another one, or the type is not that of the parameters.
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_traced(xs, None)
    }
}

pub(super) fn check_size(depth: usize, width: usize) -> Result<()> {
    if depth == 0 || width == 0 {
        bail!("a Han stack needs at least one layer and one entry, got {depth} x {width}");
    }
    Ok(())
}

/// One Han-layer, y = |x - 2 (u.x)/(u.u) u + b|.
#[derive(Debug, Clone)]
pub struct HanLayer(HanStack);

impl HanLayer {
    /// A layer from u and b.
    ///
    /// # Shapes
    /// - direction (u): (width)
    /// - bias (b): (width)
    ///
    /// # Errors
    /// As [`HanStack::new`].
    pub fn new(direction: Tensor, bias: Tensor) -> Result<Self> {
        Ok(Self(HanStack::new(direction.unsqueeze(0)?, bias.unsqueeze(0)?)?))
    }

    /// u, (1, width)
    pub fn direction(&self) -> &Tensor {
        &self.0.direction[0]
    }

    /// b, (1, width)
    pub fn bias(&self) -> &Tensor {
        &self.0.bias[0]
    }

    /// The same function of constants of another type.
    pub fn constant(&self, dtype: DType) -> Result<Self> {
        let [direction, bias] = [self.direction(), self.bias()].map(|tensor| tensor.detach().to_dtype(dtype));
        Ok(Self(HanStack::new(direction?, bias?)?.along(self.0.axis)))
    }

    /// The same parameters along another axis.
    pub fn along(self, axis: Axis) -> Self {
        Self(self.0.along(axis))
    }
}

impl Module for HanLayer {
    /// # Shapes
    /// As for [`HanStack`].
    ///
    /// # Errors
    /// As for [`HanStack`].
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.0.forward(xs)
    }
}

/// The operation on (x, u, b).
struct HanOp {
    geometry: Geometry,
    wanted: Wanted,
    /// The normalised stack and the tape of its forward pass.
    kept: Saved,
}

impl Fused<3> for HanOp {
    const NAME: &'static str = "han-stack";

    fn forward<T: Element>(&self, [x, u, b]: [&[T]; 3]) -> Result<Vec<T>> {
        let stack = Stack::new(u, b, self.geometry.width);
        let (y, tape) = kernel::forward(&stack, self.geometry, x, Record::for_gradients(self.wanted));
        if let Some(tape) = tape {
            self.kept.put((stack, tape));
        }
        Ok(y)
    }

    fn backward<T: Element>(&self, pass: &Pass<'_, T, 3>) -> Result<[Option<Vec<T>>; 3]> {
        let (stack, tape) = self.kept.get::<(Stack<T>, Tape<T>)>()?;
        let gradients = kernel::backward(stack, self.geometry, pass.output, tape, pass.gradient, self.wanted);
        Ok([Some(gradients.input), gradients.direction, gradients.bias])
    }
}
