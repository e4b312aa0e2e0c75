//! Where tensors live: `--device auto|cpu|cuda:N`.

use anyhow::{Context, Result, bail};
use candle_core::{Device, DeviceLocation};
use std::path::Path;
use std::str::FromStr;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU if this build and this machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => match text.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(ordinal)) => Ok(Self::Cuda(ordinal)),
                _ => Err("use auto, cpu or cuda:N".into()),
            },
        }
    }
}

/// A device and its kind in words.
#[derive(Debug, Clone)]
pub struct ChosenDevice {
    /// To make tensors on.
    pub device: Device,
    /// "cpu" or "cuda": results of different kinds differ in their last bits.
    pub kind: &'static str,
    /// Something the user should know about the choice.
    pub note: Option<String>,
}

impl ChosenDevice {
    /// "cpu", or the number of the GPU, as `--device` takes it, and its maker's name for it.
    pub fn name(&self) -> String {
        match self.device.location() {
            DeviceLocation::Cpu => "cpu".into(),
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}{}", self.card()),
            DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        }
    }

    /// Of a GPU, in brackets; nothing where the driver does not say.
    fn card(&self) -> String {
        #[cfg(feature = "cuda")]
        if let Ok(device) = self.device.as_cuda_device()
            && let Ok(name) = device.cuda_stream().context().name()
        {
            return format!(" ({name})");
        }
        String::new()
    }
}

/// What NVIDIA's driver makes on Linux, and under Windows' subsystem for it.
const DRIVER: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];

impl DeviceChoice {
    /// Whether it should become a GPU. That is asked before there are threads, which opening one may start.
    pub fn expects_gpu(self) -> bool {
        match self {
            Self::Cpu => false,
            Self::Cuda(_) => true,
            Self::Auto => {
                cfg!(feature = "cuda")
                    && (!cfg!(target_os = "linux") || DRIVER.iter().any(|file| Path::new(file).exists()))
            }
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// When a GPU was asked for by name and cannot be used.
    pub fn open(self) -> Result<ChosenDevice> {
        let cpu = |note| ChosenDevice { device: Device::Cpu, kind: "cpu", note };
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Auto if !cfg!(feature = "cuda") => Ok(cpu(None)),
            Self::Auto => match gpu(0) {
                Ok(device) => Ok(ChosenDevice { device, kind: "cuda", note: None }),
                Err(error) => {
                    let first_line = error.to_string().lines().next().unwrap_or_default().to_string();
                    Ok(cpu(Some(format!("no GPU can be used ({first_line}); running on the CPU"))))
                }
            },
            Self::Cuda(_) if !cfg!(feature = "cuda") => {
                bail!("--device cuda: this build has no CUDA; build with --features cuda, or use --device cpu")
            }
            Self::Cuda(ordinal) => {
                let device = gpu(ordinal).with_context(|| format!("--device cuda:{ordinal}"))?;
                Ok(ChosenDevice { device, kind: "cuda", note: None })
            }
        }
    }
}

/// A GPU with one queue of work for all threads.
///
/// candle's usual handle gives each thread a queue of its own and orders nothing between them: a batch that was prepared
/// on another thread can be read before it is there, and memory can be taken back while it is in use. Attacks and
/// augmented batches come from many threads.
#[allow(unsafe_code, reason = "candle leaves it to its user to say that nothing needs ordering")]
fn gpu(ordinal: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda_with_stream(ordinal)?;
    // SAFETY: what is switched off orders the work of several queues. This device has one, and tensors of two devices
    // never meet. Left on it slows every step.
    #[cfg(feature = "cuda")]
    unsafe {
        device.as_cuda_device()?.disable_event_tracking();
    }
    Ok(device)
}
