//! Updates of variables on a GPU, a launch for each: `optimizer.cu`.

#![allow(unsafe_code, reason = "kernels are foreign functions")]

use super::buffers::Number;
use super::compile::{Program, kernel, launch};
use crate::nn::kernels::optimizer::{Adam, Sgd};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, CudaViewMut, PushKernelArg};
use candle_core::{DType, Device, Result, Tensor, WithDType, bail};
use std::marker::PhantomData;

const THREADS: usize = 256;

/// The program for a type.
struct Updates<T>(PhantomData<T>);

impl<T: Number> Program for Updates<T> {
    const SOURCE: &'static str = include_str!("optimizer.cu");
    const FILE: &'static str = "optimizer.cu";

    fn name(&self) -> String {
        format!("han-exp-optimizer-{}", T::NAME)
    }

    fn options(&self) -> Vec<String> {
        vec![format!("-DREAL={}", T::NAME)]
    }
}

/// First and second moment of a variable; SGD keeps its velocity in the first and leaves the second 0.
pub enum Moments {
    /// Of f32.
    F32([CudaSlice<f32>; 2]),
    /// Of f64.
    F64([CudaSlice<f64>; 2]),
}

impl Moments {
    /// Both 0, for a variable of f32 or f64.
    ///
    /// # Errors
    /// When the variable has another type, or there is no memory left.
    pub fn zeros(device: &CudaDevice, dtype: DType, len: usize) -> Result<Self> {
        match dtype {
            DType::F32 => Ok(Self::F32([device.alloc_zeros(len)?, device.alloc_zeros(len)?])),
            DType::F64 => Ok(Self::F64([device.alloc_zeros(len)?, device.alloc_zeros(len)?])),
            _ => bail!("there are no kernels for variables of type {}", dtype.as_str()),
        }
    }

    /// Copies on the CPU.
    ///
    /// # Errors
    /// When the device fails.
    pub fn copies(&self, device: &CudaDevice) -> Result<[Tensor; 2]> {
        match self {
            Self::F32([first, second]) => Ok([copy(device, first)?, copy(device, second)?]),
            Self::F64([first, second]) => Ok([copy(device, first)?, copy(device, second)?]),
        }
    }

    /// Takes the values of two tensors of the CPU.
    ///
    /// # Errors
    /// When their sizes or types are others.
    pub fn set(&mut self, device: &CudaDevice, from: [&Tensor; 2]) -> Result<()> {
        match self {
            Self::F32(moments) => {
                moments.iter_mut().zip(from).try_for_each(|(moment, from)| fill(device, moment, from))
            }
            Self::F64(moments) => {
                moments.iter_mut().zip(from).try_for_each(|(moment, from)| fill(device, moment, from))
            }
        }
    }
}

fn copy<T: Number + WithDType>(device: &CudaDevice, moment: &CudaSlice<T>) -> Result<Tensor> {
    Tensor::from_vec(device.clone_dtoh(moment)?, moment.len(), &Device::Cpu)
}

fn fill<T: Number + WithDType>(device: &CudaDevice, moment: &mut CudaSlice<T>, from: &Tensor) -> Result<()> {
    let values = from.flatten_all()?.to_vec1::<T>()?;
    if values.len() != moment.len() {
        bail!("a moment of {} entries stands for one of {}", values.len(), moment.len());
    }
    device.memcpy_htod(&values, moment)
}

/// One step of SGD, as [`crate::nn::kernels::optimizer::sgd`].
///
/// # Errors
/// When sizes differ, or the device fails.
pub fn sgd<T: Number>(
    device: &CudaDevice,
    step: Sgd,
    weight: &mut CudaViewMut<'_, T>,
    gradient: &CudaView<'_, T>,
    velocity: &mut CudaViewMut<'_, T>,
) -> Result<()> {
    let count = same(&[weight.len(), gradient.len(), velocity.len()])?;
    let Sgd { learning_rate, momentum, weight_decay } = step;
    let kernel = kernel(device, &Updates::<T>(PhantomData), "sgd")?;
    let mut arguments = kernel.builder();
    arguments.arg(weight).arg(velocity).arg(gradient).arg(&count);
    arguments.arg(&learning_rate).arg(&momentum).arg(&weight_decay);
    // SAFETY: a thread for each entry, of which all buffers have as many.
    unsafe { launch(arguments, usize::try_from(count)?.div_ceil(THREADS), THREADS) }
}

/// One step of Adam, as [`crate::nn::kernels::optimizer::adam`], on (first, second) moments.
///
/// # Errors
/// When sizes differ, or the device fails.
pub fn adam<T: Number>(
    device: &CudaDevice,
    step: Adam,
    weight: &mut CudaViewMut<'_, T>,
    gradient: &CudaView<'_, T>,
    [first, second]: [&mut CudaViewMut<'_, T>; 2],
) -> Result<()> {
    let count = same(&[weight.len(), gradient.len(), first.len(), second.len()])?;
    let Adam { beta1, beta2, step_size, second_correction, epsilon, shrink } = step;
    let kernel = kernel(device, &Updates::<T>(PhantomData), "adam")?;
    let mut arguments = kernel.builder();
    arguments.arg(weight).arg(first).arg(second).arg(gradient).arg(&count);
    arguments.arg(&beta1).arg(&beta2).arg(&step_size).arg(&second_correction).arg(&epsilon).arg(&shrink);
    // SAFETY: as `sgd`.
    unsafe { launch(arguments, usize::try_from(count)?.div_ceil(THREADS), THREADS) }
}

fn same(lens: &[usize]) -> Result<i32> {
    match lens.split_first() {
        Some((len, others)) if *len > 0 && others.iter().all(|other| other == len) => Ok(i32::try_from(*len)?),
        _ => bail!("an update of buffers of lengths {lens:?}"),
    }
}
