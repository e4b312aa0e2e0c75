//! The parts of image networks beside products and Han-layers, of constants: `image.cu` launched.

#![allow(unsafe_code, reason = "kernels are foreign functions")]

use super::buffers::{Number, on_gpu, uninitialised, view, wrapped};
use super::compile::{Program, kernel, launch};
use crate::nn::kernels::conv::Shape as ConvShape;
use crate::nn::kernels::layer_norm::EPSILON;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr, PushKernelArg};
use candle_core::{CpuStorage, CudaStorage, DType, InplaceOp2, Layout, Result, Storage, Tensor, bail};
use std::marker::PhantomData;
use std::ops::Deref;

const LANES: usize = 32;
/// Threads of a block.
const THREADS: usize = 256;
/// Rows of which a block makes sums, at least.
const FEWEST_ROWS: usize = 64;
/// Blocks that make sums, at most: a warp adds up what they leave.
const MOST_BLOCKS: usize = 256;

/// The program for a type.
struct Image<T>(PhantomData<T>);

impl<T: Number> Program for Image<T> {
    const SOURCE: &'static str = include_str!("image.cu");
    const FILE: &'static str = "image.cu";

    fn name(&self) -> String {
        format!("han-exp-image-{}", T::NAME)
    }

    fn options(&self) -> Vec<String> {
        vec![format!("-DREAL={}", T::NAME), format!("-DTHREADS={THREADS}"), format!("-DEPSILON={EPSILON:e}")]
    }
}

/// Calls a function of a type with the type of a tensor.
macro_rules! for_type {
    ($tensor:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $tensor.dtype() {
            DType::F32 => $function::<f32>($($argument),*),
            _ => $function::<f64>($($argument),*),
        }
    };
}

/// Puts a kernel into the queue, on as many blocks as so many threads need. It stands where unsafe code does.
macro_rules! launched {
    ($type:ty, $device:expr, $name:literal, $threads:expr; $($argument:expr),* $(,)?) => {{
        let kernel = kernel($device, &Image::<$type>(PhantomData), $name)?;
        let mut arguments = kernel.builder();
        $(arguments.arg($argument);)*
        launch(arguments, usize::div_ceil($threads, THREADS), THREADS)
    }};
}

/// The entries of tensors of one type, by their guards.
fn views<'g, T: Number, G: Deref<Target = Storage>, const N: usize>(
    guards: &'g [(G, &Layout); N],
) -> Result<[CudaView<'g, T>; N]> {
    let views = guards.iter().map(|(storage, layout)| view(on_gpu(storage, layout)?)).collect::<Result<Vec<_>>>()?;
    match views.try_into() {
        Ok(views) => Ok(views),
        Err(_) => bail!("{N} tensors have another number of buffers"),
    }
}

/// Refuses buffers of other lengths than the kernels go through: they would read and write elsewhere.
fn check_lens(found: &[usize], expected: &[usize]) -> Result<()> {
    if found != expected {
        bail!("a kernel got buffers of lengths {found:?}, not {expected:?}");
    }
    Ok(())
}

/// How windows lie on images, as the kernels take it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Windows {
    height: i32,
    width: i32,
    inputs: i32,
    edge: i32,
    stride: i32,
    padding: i32,
    rows: i32,
    columns: i32,
}

// SAFETY: eight whole numbers, laid out as in C.
unsafe impl DeviceRepr for Windows {}

impl Windows {
    fn of(shape: ConvShape) -> Result<Self> {
        let (rows, columns) = shape.output_size();
        let [height, width, inputs, edge] = [shape.height, shape.width, shape.inputs, shape.kernel].map(i32::try_from);
        let [stride, padding, rows, columns] = [shape.stride, shape.padding, rows, columns].map(i32::try_from);
        let (height, width, inputs, edge) = (height?, width?, inputs?, edge?);
        Ok(Self { height, width, inputs, edge, stride: stride?, padding: padding?, rows: rows?, columns: columns? })
    }
}

/// Images as rows of windows.
///
/// # Shapes
/// - x: (batch, height, width, inputs) -> (batch positions, window)
///
/// # Errors
/// When x is not contiguous, or the device fails.
pub fn unfold(x: &Tensor, shape: ConvShape) -> Result<Tensor> {
    for_type!(x, unfold_as(x, shape))
}

fn unfold_as<T: Number>(x: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let (device, windows, dims) = (x.device().as_cuda_device()?, Windows::of(shape)?, shape.unfolded());
    let (guards, len) = ([x.storage_and_layout()], dims.0 * dims.1);
    let [x] = &views::<T, _, 1>(&guards)?;
    check_lens(&[x.len()], &[shape.batch * shape.height * shape.width * shape.inputs])?;
    let (mut rows, count) = (uninitialised::<T>(device, len)?, i64::try_from(len)?);
    // SAFETY: a thread for each entry of `rows`, which reads inside of x alone.
    unsafe { launched!(T, device, "unfold", len; x, &mut rows, &count, &windows) }?;
    Ok(wrapped(rows, device, dims))
}

/// The transpose of [`unfold`].
///
/// # Errors
/// As [`unfold`].
pub fn fold(rows: &Tensor, shape: ConvShape) -> Result<Tensor> {
    for_type!(rows, fold_as(rows, shape))
}

fn fold_as<T: Number>(rows: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let (device, windows) = (rows.device().as_cuda_device()?, Windows::of(shape)?);
    let dims = [shape.batch, shape.height, shape.width, shape.inputs];
    let (guards, len) = ([rows.storage_and_layout()], dims.iter().product());
    let [rows] = &views::<T, _, 1>(&guards)?;
    check_lens(&[rows.len()], &[shape.unfolded().0 * shape.unfolded().1])?;
    let (mut x, count) = (uninitialised::<T>(device, len)?, i64::try_from(len)?);
    // SAFETY: a thread for each entry of x, which reads windows that exist alone.
    unsafe { launched!(T, device, "fold", len; rows, &mut x, &count, &windows) }?;
    Ok(wrapped(x, device, &dims))
}

/// Sums of columns in two stages.
struct Sums {
    rows: i64,
    columns: i32,
    /// Parts of the columns, a block each.
    tiles: i32,
    blocks: i32,
    /// Threads of the first stage, and of the second.
    threads: [usize; 2],
    /// Sums that the first stage leaves.
    left: usize,
}

impl Sums {
    fn of(len: usize, width: usize) -> Result<Self> {
        let rows = len / width.max(1);
        let (tiles, blocks) = (width.div_ceil(THREADS), rows.div_ceil(FEWEST_ROWS).clamp(1, MOST_BLOCKS));
        Ok(Self {
            rows: i64::try_from(rows)?,
            columns: i32::try_from(width)?,
            tiles: i32::try_from(tiles)?,
            blocks: i32::try_from(blocks)?,
            threads: [blocks * tiles * THREADS, LANES * width],
            left: 2 * blocks * width,
        })
    }

    /// Both sums of every column.
    fn finish<T: Number>(&self, device: &CudaDevice, partial: &CudaSlice<f64>) -> Result<[Tensor; 2]> {
        let Self { blocks, columns, threads, .. } = self;
        let width = threads[1] / LANES;
        let (mut first, mut second) = (uninitialised::<T>(device, width)?, uninitialised::<T>(device, width)?);
        // SAFETY: a warp for each column, and two sums for each block and column.
        unsafe { launched!(T, device, "finish", threads[1]; partial, &mut first, &mut second, blocks, columns) }?;
        Ok([first, second].map(|sums| wrapped(sums, device, width)))
    }
}

/// Layer norm, and the mean and 1 / deviation of every row.
///
/// # Shapes
/// - x: (.., channels), weight, bias: (channels) -> as x, (rows, 2)
///
/// # Errors
/// When a tensor is not contiguous, or the device fails.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<[Tensor; 2]> {
    for_type!(x, layer_norm_as(x, weight, bias))
}

fn layer_norm_as<T: Number>(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<[Tensor; 2]> {
    let (device, shape) = (x.device().as_cuda_device()?, x.shape());
    let guards = [x, weight, bias].map(Tensor::storage_and_layout);
    let [x, weight, bias] = &views::<T, _, 3>(&guards)?;
    let Sums { rows, columns, .. } = Sums::of(x.len(), weight.len())?;
    let count = x.len() / weight.len().max(1);
    check_lens(&[bias.len(), x.len()], &[weight.len(), count * weight.len()])?;
    let (mut y, mut moments) = (uninitialised::<T>(device, x.len())?, uninitialised::<T>(device, 2 * count)?);
    // SAFETY: a warp for each row; x and y have as many columns as weight and bias, and there are two moments a row.
    unsafe {
        launched!(T, device, "layer_norm", LANES * count; x, weight, bias, &mut y, &mut moments, &rows, &columns)
    }?;
    Ok([wrapped(y, device, shape.clone()), wrapped(moments, device, (count, 2))])
}

/// Gradients of x, weight and bias.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_back(x: &Tensor, weight: &Tensor, moments: &Tensor, gradient: &Tensor) -> Result<[Tensor; 3]> {
    for_type!(x, layer_norm_back_as(x, weight, moments, gradient))
}

fn layer_norm_back_as<T: Number>(
    x: &Tensor,
    weight: &Tensor,
    moments: &Tensor,
    gradient: &Tensor,
) -> Result<[Tensor; 3]> {
    let (device, shape) = (x.device().as_cuda_device()?, x.shape());
    let guards = [x, weight, moments, gradient].map(Tensor::storage_and_layout);
    let [x, weight, moments, gradient] = &views::<T, _, 4>(&guards)?;
    let count = x.len() / weight.len().max(1);
    check_lens(&[x.len(), moments.len(), gradient.len()], &[count * weight.len(), 2 * count, x.len()])?;
    let sums = Sums::of(x.len(), weight.len())?;
    let Sums { rows, columns, tiles, threads, .. } = &sums;
    let (mut dx, mut partial) = (uninitialised::<T>(device, x.len())?, uninitialised(device, sums.left)?);
    // SAFETY: as `layer_norm`; the sums have their own kernel, with room for those of every block.
    unsafe {
        launched!(T, device, "layer_norm_back", LANES * count; x, weight, moments, gradient, &mut dx, rows, columns)?;
        launched!(T, device, "layer_norm_sums", threads[0]; x, moments, gradient, &mut partial, rows, columns, tiles)?;
    }
    let [of_weight, of_bias] = sums.finish::<T>(device, &partial)?;
    Ok([wrapped(dx, device, shape.clone()), of_weight, of_bias])
}

/// Batch norm of rows by their own statistics, with max(., 0) where asked; and their mean and biased variance.
///
/// # Shapes
/// - x: (rows, channels), weight, bias: (channels) -> as x, (channels), (channels)
///
/// # Errors
/// As [`layer_norm`].
pub fn batch_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<[Tensor; 3]> {
    for_type!(x, batch_norm_as(x, weight, bias, relu))
}

fn batch_norm_as<T: Number>(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<[Tensor; 3]> {
    let (device, shape, channels) = (x.device().as_cuda_device()?, x.shape(), weight.elem_count());
    let guards = [x, weight, bias].map(Tensor::storage_and_layout);
    let [x, weight, bias] = &views::<T, _, 3>(&guards)?;
    let sums = Sums::of(x.len(), channels)?;
    check_lens(&[bias.len(), x.len() % channels.max(1)], &[channels, 0])?;
    let Sums { rows, columns, tiles, blocks, threads, .. } = &sums;
    let (relu, count) = (i32::from(relu), i64::try_from(x.len())?);
    let (mut partial, mut y) = (uninitialised::<f64>(device, sums.left)?, uninitialised::<T>(device, x.len())?);
    let (mut mean, mut variance) = (uninitialised::<T>(device, channels)?, uninitialised::<T>(device, channels)?);
    // SAFETY: room for two sums of every block and column; a warp for each column, then a thread for each entry.
    unsafe {
        launched!(T, device, "batch_norm_moments", threads[0]; x, &mut partial, rows, columns, tiles)?;
        launched!(
            T, device, "batch_norm_finish", threads[1];
            &partial, x, &mut mean, &mut variance, rows, blocks, columns
        )?;
        launched!(T, device, "batch_norm", x.len(); x, weight, bias, &mean, &variance, &mut y, &count, columns, &relu)?;
    }
    let [mean, variance] = [mean, variance].map(|statistic| wrapped(statistic, device, channels));
    Ok([wrapped(y, device, shape.clone()), mean, variance])
}

/// Gradients of x, weight and bias, from what went in and what came out.
///
/// # Errors
/// As [`layer_norm`].
pub fn batch_norm_back(
    [x, weight]: [&Tensor; 2],
    [y, mean, variance]: [&Tensor; 3],
    gradient: &Tensor,
    relu: bool,
) -> Result<[Tensor; 3]> {
    for_type!(x, batch_norm_back_as([x, weight], [y, mean, variance], gradient, relu))
}

fn batch_norm_back_as<T: Number>(
    [x, weight]: [&Tensor; 2],
    [y, mean, variance]: [&Tensor; 3],
    gradient: &Tensor,
    relu: bool,
) -> Result<[Tensor; 3]> {
    let (device, shape) = (x.device().as_cuda_device()?, x.shape());
    let guards = [x, weight, y, mean, variance, gradient].map(Tensor::storage_and_layout);
    let [x, weight, y, mean, variance, gradient] = &views::<T, _, 6>(&guards)?;
    check_lens(
        &[y.len(), gradient.len(), mean.len(), variance.len()],
        &[x.len(), x.len(), weight.len(), weight.len()],
    )?;
    let sums = Sums::of(x.len(), weight.len())?;
    let Sums { rows, columns, tiles, threads, .. } = &sums;
    let relu = i32::from(relu);
    let (mut partial, mut dx) = (uninitialised(device, sums.left)?, uninitialised::<T>(device, x.len())?);
    // SAFETY: as `batch_norm`.
    unsafe {
        launched!(
            T, device, "batch_norm_sums", threads[0];
            x, mean, variance, y, gradient, &mut partial, rows, columns, tiles, &relu
        )
    }?;
    let [of_weight, of_bias] = sums.finish::<T>(device, &partial)?;
    {
        let guards = [&of_weight, &of_bias].map(Tensor::storage_and_layout);
        let [of_weight, of_bias] = &views::<T, _, 2>(&guards)?;
        // SAFETY: a thread for each entry.
        unsafe {
            launched!(
                T, device, "batch_norm_back", x.len();
                x, weight, mean, variance, y, gradient, of_weight, of_bias, &mut dx, rows, columns, &relu
            )
        }?;
    }
    Ok([wrapped(dx, device, shape.clone()), of_weight, of_bias])
}

/// The operation running = keep running + take measured.
pub struct Blend {
    /// Part of what was there.
    pub keep: f64,
    /// Part of what is new.
    pub take: f64,
}

impl Blend {
    fn apply<T: Number>(&self, running: (&mut CudaStorage, &Layout), measured: (&CudaStorage, &Layout)) -> Result<()> {
        let (device, measured) = (measured.0.device(), &view::<T>(measured)?);
        let Some((start, end)) = running.1.contiguous_offsets() else { bail!("running statistics are contiguous") };
        let running = &mut running.0.as_cuda_slice_mut::<T>()?.slice_mut(start..end);
        let (len, Self { keep, take }) = (running.len(), self);
        check_lens(&[measured.len()], &[len])?;
        let count = i32::try_from(len)?;
        // SAFETY: a thread for each entry, of which both have as many.
        unsafe { launched!(T, device, "blend", len; running, measured, &count, keep, take) }
    }
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        bail!("this operation runs on a GPU alone")
    }

    fn cuda_fwd(&self, running: &mut CudaStorage, to: &Layout, measured: &CudaStorage, from: &Layout) -> Result<()> {
        match measured.dtype() {
            DType::F32 => self.apply::<f32>((running, to), (measured, from)),
            _ => self.apply::<f64>((running, to), (measured, from)),
        }
    }
}

/// x + b, or GELU of it.
///
/// # Shapes
/// - x: (.., columns), bias: (columns) -> as x
///
/// # Errors
/// As [`layer_norm`].
pub fn bias(x: &Tensor, bias: &Tensor, gelu: bool) -> Result<Tensor> {
    for_type!(x, bias_as(x, bias, gelu))
}

fn bias_as<T: Number>(x: &Tensor, bias: &Tensor, gelu: bool) -> Result<Tensor> {
    let (device, shape) = (x.device().as_cuda_device()?, x.shape());
    let guards = [x, bias].map(Tensor::storage_and_layout);
    let [x, bias] = &views::<T, _, 2>(&guards)?;
    let (count, columns, gelu) = (i64::try_from(x.len())?, i32::try_from(bias.len())?, i32::from(gelu));
    let mut y = uninitialised::<T>(device, x.len())?;
    // SAFETY: a thread for each entry of x and y, whose rows are as long as the bias.
    unsafe { launched!(T, device, "bias", x.len(); x, bias, &mut y, &count, &columns, &gelu) }?;
    Ok(wrapped(y, device, shape.clone()))
}

/// Gradient of x under GELU(x + b). That of b is the sum of its rows.
///
/// # Errors
/// As [`layer_norm`].
pub fn gelu_back(x: &Tensor, bias: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    for_type!(x, gelu_back_as(x, bias, gradient))
}

fn gelu_back_as<T: Number>(x: &Tensor, bias: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let (device, shape) = (x.device().as_cuda_device()?, x.shape());
    let guards = [x, bias, gradient].map(Tensor::storage_and_layout);
    let [x, bias, gradient] = &views::<T, _, 3>(&guards)?;
    check_lens(&[gradient.len()], &[x.len()])?;
    let (count, columns) = (i64::try_from(x.len())?, i32::try_from(bias.len())?);
    let mut dx = uninitialised::<T>(device, x.len())?;
    // SAFETY: as `bias`.
    unsafe { launched!(T, device, "gelu_back", x.len(); x, bias, gradient, &mut dx, &count, &columns) }?;
    Ok(wrapped(dx, device, shape.clone()))
}

/// The sum of all rows.
///
/// # Shapes
/// - x: (.., columns) -> (columns)
///
/// # Errors
/// As [`layer_norm`].
pub fn sum_of_rows(x: &Tensor, columns: usize) -> Result<Tensor> {
    for_type!(x, sum_of_rows_as(x, columns))
}

fn sum_of_rows_as<T: Number>(x: &Tensor, columns: usize) -> Result<Tensor> {
    let device = x.device().as_cuda_device()?;
    let guards = [x.storage_and_layout()];
    let [x] = &views::<T, _, 1>(&guards)?;
    let sums = Sums::of(x.len(), columns)?;
    let Sums { rows, columns, tiles, threads, .. } = &sums;
    let mut partial = uninitialised(device, sums.left)?;
    // SAFETY: room for the sums of every block and column.
    unsafe { launched!(T, device, "sum_of_rows", threads[0]; x, &mut partial, rows, columns, tiles) }?;
    let [sums, _] = sums.finish::<T>(device, &partial)?;
    Ok(sums)
}
