//! Layers of image networks on a GPU, each a graft: products by cuBLAS, the rest by `image.cu`.

use super::graft::graft;
use super::image;
use crate::nn::kernels::conv::Shape as ConvShape;
use candle_core::{DType, Result, Tensor, Var};

/// Whether these layers take a tensor. An empty one has nothing to launch for.
pub fn apply_to(xs: &Tensor) -> bool {
    xs.device().is_cuda() && matches!(xs.dtype(), DType::F32 | DType::F64) && xs.elem_count() > 0
}

/// Outside of the graph, as kernels want it.
fn constant(tensor: &Tensor) -> Result<Tensor> {
    tensor.detach().contiguous()
}

/// Layer norm over the last axis.
///
/// # Shapes
/// - xs: (.., channels), weight, bias: (channels) -> as xs
///
/// # Errors
/// When the device fails.
pub fn layer_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (x, w, b) = (constant(xs)?, constant(weight)?, constant(bias)?);
    let [y, moments] = image::layer_norm(&x, &w, &b)?;
    graft([xs, weight, bias], y, move |g| Ok(image::layer_norm_back(&x, &w, &moments, g)?.map(Some)))
}

/// Batch norm of rows by their own statistics, with max(., 0) where asked; and their mean and biased variance, constants.
///
/// # Shapes
/// - xs: (rows, channels), weight, bias: (channels) -> as xs, (channels), (channels)
///
/// # Errors
/// When the device fails.
pub fn batch_norm(xs: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<[Tensor; 3]> {
    let (x, w, b) = (constant(xs)?, constant(weight)?, constant(bias)?);
    let [y, mean, variance] = image::batch_norm(&x, &w, &b, relu)?;
    let (out, measured) = (y.clone(), [mean.clone(), variance.clone()]);
    let y = graft([xs, weight, bias], y, move |g| {
        let [mean, variance] = &measured;
        Ok(image::batch_norm_back([&x, &w], [&out, mean, variance], g, relu)?.map(Some))
    })?;
    Ok([y, mean, variance])
}

/// running = (1 - momentum) running + momentum factor measured, of a batch norm's statistics.
///
/// # Errors
/// When the device fails.
pub fn blend(running: &Var, measured: &Tensor, momentum: f64, factor: f64) -> Result<()> {
    running.inplace_op2(measured, &image::Blend { keep: 1.0 - momentum, take: momentum * factor })
}

/// x W^T + b
///
/// # Shapes
/// - xs: (rows, inputs), weight: (outputs, inputs), bias: (outputs) -> (rows, outputs)
///
/// # Errors
/// When shapes do not fit together, or the device fails.
pub fn dense(xs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (x, w, outputs) = (constant(xs)?, constant(weight)?, bias.dims1()?);
    let (wanted, trained) = (xs.track_op(), weight.track_op() || bias.track_op());
    let y = image::bias(&x.matmul(&w.t()?)?, &constant(bias)?, false)?;
    graft([xs, weight, bias], y, move |g| {
        let of_input = if wanted { Some(g.matmul(&w)?) } else { None };
        if !trained {
            return Ok([of_input, None, None]);
        }
        Ok([of_input, Some(g.t()?.matmul(&x)?), Some(image::sum_of_rows(g, outputs)?)])
    })
}

/// A convolution as a product, of constants.
struct Convolution {
    shape: ConvShape,
    /// (batch, height, width, inputs)
    x: Tensor,
    /// (outputs, window)
    weight: Tensor,
}

impl Convolution {
    fn of(xs: &Tensor, weight: &Tensor, shape: ConvShape) -> Result<Self> {
        let x = constant(xs)?;
        let weight = weight.detach().permute((0, 2, 3, 1))?.contiguous()?.reshape((shape.outputs, shape.window()))?;
        Ok(Self { shape, x, weight })
    }

    /// (batch positions, window). Nine times as large as x where they are 3 x 3, so they are made anew for the backward pass.
    fn windows(&self) -> Result<Tensor> {
        if self.shape.is_pointwise() {
            self.x.reshape(self.shape.unfolded())
        } else {
            image::unfold(&self.x, self.shape)
        }
    }

    /// (batch positions, outputs)
    fn product(&self) -> Result<Tensor> {
        self.windows()?.matmul(&self.weight.t()?)
    }

    /// As (batch, rows, columns, outputs).
    fn image(&self, z: &Tensor) -> Result<Tensor> {
        let (rows, columns) = self.shape.output_size();
        z.reshape((self.shape.batch, rows, columns, self.shape.outputs))
    }

    /// dL/dx where it is wanted, and dL/dW as in PyTorch, from dL/d(product).
    fn back(&self, dz: &Tensor, wanted: bool) -> Result<[Option<Tensor>; 2]> {
        let ConvShape { batch, height, width, inputs, outputs, kernel, .. } = self.shape;
        let of_weight = dz.t()?.matmul(&self.windows()?)?.reshape((outputs, kernel, kernel, inputs))?;
        let of_weight = Some(of_weight.permute((0, 3, 1, 2))?.contiguous()?);
        if !wanted {
            return Ok([None, of_weight]);
        }
        let of_windows = dz.matmul(&self.weight)?;
        let of_input = match self.shape.is_pointwise() {
            true => of_windows.reshape((batch, height, width, inputs))?,
            false => image::fold(&of_windows, self.shape)?,
        };
        Ok([Some(of_input), of_weight])
    }
}

/// A convolution with a bias.
///
/// # Shapes
/// - xs: (batch, height, width, inputs), weight: (outputs, inputs, kernel, kernel), bias: (outputs)
///   -> (batch, rows, columns, outputs)
///
/// # Errors
/// When the device fails.
pub fn conv(xs: &Tensor, weight: &Tensor, bias: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let (convolution, wanted) = (Convolution::of(xs, weight, shape)?, xs.track_op());
    let y = convolution.image(&image::bias(&convolution.product()?, &constant(bias)?, false)?)?;
    graft([xs, weight, bias], y, move |g| {
        let dz = g.reshape(((), shape.outputs))?;
        let [of_input, of_weight] = convolution.back(&dz, wanted)?;
        Ok([of_input, of_weight, Some(image::sum_of_rows(&dz, shape.outputs)?)])
    })
}

/// Convolution and batch norm by the batch's own statistics, with max(., 0) where asked; and mean and biased variance of what the
/// convolution gives with its bias, if it has one. The norm takes the bias away again: it has gradient 0.
///
/// # Shapes
/// - xs: (batch, height, width, inputs), weight: (outputs, inputs, kernel, kernel)
/// - vectors: weight and bias of the norm and, if there is one, the convolution's bias, (2 or 3, outputs)
/// - -> (batch, rows, columns, outputs), (outputs), (outputs)
///
/// # Errors
/// When the device fails.
pub fn conv_norm(xs: &Tensor, weight: &Tensor, vectors: &Tensor, shape: ConvShape, relu: bool) -> Result<[Tensor; 3]> {
    let (convolution, wanted, rows) = (Convolution::of(xs, weight, shape)?, xs.track_op(), vectors.detach());
    let has_bias = rows.dims()[0] > 2;
    let (z, scale) = (convolution.product()?, rows.get(0)?);
    let [y, mean, variance] = image::batch_norm(&z, &scale, &rows.get(1)?, relu)?;
    let (out, measured) = (y.clone(), [mean.clone(), variance.clone()]);
    let y = graft([xs, weight, vectors], convolution.image(&y)?, move |g| {
        let (g, [mean, variance]) = (g.reshape(((), shape.outputs))?, &measured);
        let [dz, of_scale, of_shift] = image::batch_norm_back([&z, &scale], [&out, mean, variance], &g, relu)?;
        let [of_input, of_weight] = convolution.back(&dz, wanted)?;
        let mut of_vectors = vec![of_scale, of_shift];
        if has_bias {
            of_vectors.push(of_vectors[0].zeros_like()?);
        }
        Ok([of_input, of_weight, Some(Tensor::stack(&of_vectors, 0)?)])
    })?;
    let mean = if has_bias { (mean + rows.get(2)?)? } else { mean };
    Ok([y, mean, variance])
}

/// Half a mixer block, x + W2 gelu(W1 LN(x) + b1) + b2 along an axis, with what its backward pass needs.
struct Half {
    /// Whether it mixes tokens; otherwise channels.
    tokens: bool,
    /// Norm weight, norm bias, W1, b1, W2, b2.
    parameters: [Tensor; 6],
    /// (batch, tokens, channels)
    x: Tensor,
    moments: Tensor,
    /// LN(x) along the axis, (rows, width)
    normalised: Tensor,
    /// W1 LN(x)
    product: Tensor,
    /// GELU of that and its bias.
    hidden: Tensor,
}

/// (batch, tokens, channels) with what is mixed last; twice, it is what it was.
fn turned(x: &Tensor, tokens: bool) -> Result<Tensor> {
    if tokens { x.transpose(1, 2)?.contiguous() } else { Ok(x.clone()) }
}

impl Half {
    /// What it does to x, and itself.
    fn of(x: Tensor, parameters: [Tensor; 6], tokens: bool) -> Result<(Tensor, Self)> {
        let [norm_weight, norm_bias, w1, b1, w2, b2] = &parameters;
        let [n, moments] = image::layer_norm(&x, norm_weight, norm_bias)?;
        let (n, width) = (turned(&n, tokens)?, b1.dims1()?);
        let normalised = n.reshape(((), width))?;
        let product = normalised.matmul(&w1.t()?)?;
        let hidden = image::bias(&product, b1, true)?;
        let out = image::bias(&hidden.matmul(&w2.t()?)?, b2, false)?.reshape(n.shape())?;
        let y = (&x + turned(&out, tokens)?)?;
        Ok((y, Self { tokens, parameters, x, moments, normalised, product, hidden }))
    }

    /// dL/dx, and the gradients of its parameters, flat and in their order.
    fn back(&self, gradient: &Tensor) -> Result<(Tensor, [Tensor; 6])> {
        let Self { tokens, x, moments, normalised, product, hidden, .. } = self;
        let [norm_weight, _, w1, b1, w2, _] = &self.parameters;
        let (turned_gradient, width) = (turned(gradient, *tokens)?, b1.dims1()?);
        let g = turned_gradient.reshape(((), width))?;
        let of_b2 = image::sum_of_rows(&g, width)?;
        let of_w2 = g.t()?.matmul(hidden)?;
        let of_product = image::gelu_back(product, b1, &g.matmul(w2)?)?;
        let of_b1 = image::sum_of_rows(&of_product, width)?;
        let of_w1 = of_product.t()?.matmul(normalised)?;
        let of_normalised = turned(&of_product.matmul(w1)?.reshape(turned_gradient.shape())?, *tokens)?;
        let [of_x, of_norm_weight, of_norm_bias] = image::layer_norm_back(x, norm_weight, moments, &of_normalised)?;
        let (of_w1, of_w2) = (of_w1.flatten_all()?, of_w2.flatten_all()?);
        Ok(((of_x + gradient)?, [of_norm_weight, of_norm_bias, of_w1, of_b1, of_w2, of_b2]))
    }
}

/// A run of mixer blocks, whose parameters are parts of one variable: of each half norm weight, norm bias, W1, b1, W2 and b2, constants,
/// and whether it mixes tokens.
///
/// # Shapes
/// - xs: (batch, tokens, channels), parameters: one axis, those of the halves in their order -> as xs
///
/// # Errors
/// When the device fails.
pub fn mixer_blocks(xs: &Tensor, parameters: &Tensor, halves: Vec<(bool, [Tensor; 6])>) -> Result<Tensor> {
    let (mut x, mut made) = (constant(xs)?, Vec::with_capacity(halves.len()));
    for (tokens, parameters) in halves {
        let (y, half) = Half::of(x, parameters, tokens)?;
        made.push(half);
        x = y;
    }
    graft([xs, parameters], x, move |g| {
        let (mut gradient, mut of_parameters) = (g.clone(), Vec::with_capacity(made.len()));
        for half in made.iter().rev() {
            let (of_x, of_half) = half.back(&gradient)?;
            gradient = of_x;
            of_parameters.push(of_half);
        }
        let of_parameters: Vec<Tensor> = of_parameters.into_iter().rev().flatten().collect();
        Ok([Some(gradient), Some(Tensor::cat(&of_parameters, 0)?)])
    })
}
