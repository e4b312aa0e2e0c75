//! CUDA programs compiled by NVIDIA's run-time compiler, once for each process, and launches of their kernels.

use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaStream, LaunchArgs, LaunchConfig};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Result, bail};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A source with the constants that it is compiled with.
pub trait Program {
    /// In CUDA's C++.
    const SOURCE: &'static str;
    /// For messages.
    const FILE: &'static str;

    /// A name that no other program has.
    fn name(&self) -> String;
    /// For the compiler.
    fn options(&self) -> Vec<String>;
}

/// A kernel of a program, with the queue of its device.
pub struct Kernel {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

impl Kernel {
    /// A launch without arguments so far.
    pub fn builder(&self) -> LaunchArgs<'_> {
        self.stream.launch_builder(&self.function)
    }
}

/// A kernel of a program, on a device.
///
/// # Errors
/// When the source cannot be compiled or loaded.
pub fn kernel<P: Program>(device: &CudaDevice, program: &P, name: &str) -> Result<Kernel> {
    let module = program.name();
    // candle keeps loaded programs by their names, but wants their text in any case.
    let function = device.get_or_load_custom_func(name, &module, &ptx(program, &module)?)?;
    Ok(Kernel { function: function.into_cuda_function(), stream: device.cuda_stream() })
}

fn ptx<P: Program>(program: &P, name: &str) -> Result<Arc<str>> {
    static COMPILED: Mutex<BTreeMap<String, Arc<str>>> = Mutex::new(BTreeMap::new());
    // A thread that panicked here has left the map as it was.
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ptx) = compiled.get(name) {
        return Ok(ptx.clone());
    }
    let options = CompileOptions { options: program.options(), name: Some(P::FILE.into()), ..Default::default() };
    let ptx: Arc<str> = match compile_ptx_with_opts(P::SOURCE, options) {
        Ok(ptx) => ptx.to_src().into(),
        Err(CompileError::CompileError { nvrtc, options, log }) => {
            bail!("{} does not compile ({nvrtc:?}, {options:?}): {}", P::FILE, log.to_string_lossy())
        }
        Err(error) => bail!("{} does not compile: {error}", P::FILE),
    };
    compiled.insert(name.into(), ptx.clone());
    Ok(ptx)
}

/// Puts a kernel with its arguments into the queue of its device.
///
/// # Errors
/// When there are more blocks than a grid has, or the device fails.
///
/// # Safety
/// The arguments are those of the kernel, in number, order and type, and every buffer is as long as the kernel expects for that grid.
#[allow(unsafe_code, reason = "a kernel is a foreign function")]
pub unsafe fn launch(mut arguments: LaunchArgs<'_>, blocks: usize, threads: usize) -> Result<()> {
    let (Ok(blocks), Ok(threads)) = (i32::try_from(blocks), u32::try_from(threads)) else {
        bail!("a grid of {blocks} blocks is too large; use smaller batches");
    };
    let grid =
        LaunchConfig { grid_dim: (blocks.unsigned_abs(), 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the caller's.
    unsafe { arguments.launch(grid) }.w()?;
    Ok(())
}
