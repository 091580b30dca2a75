//! Choice of the device: a CUDA device if the program was built with feature `cuda` and finds one, else the CPU.

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// Description of the device for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// Threads of the CPU, or ordinal of the CUDA device.
    pub detail: String,
    /// Whether the program was built with CUDA support.
    pub cuda_built: bool,
}

/// Chooses the device. If a program built with `cuda` finds no device, it logs a warning and uses the CPU.
#[must_use]
pub fn pick() -> Device {
    #[cfg(feature = "cuda")]
    match Device::new_cuda(0) {
        Ok(device) => return device,
        Err(error) => tracing::warn!(%error, "no CUDA device, the model runs on the CPU"),
    }
    Device::Cpu
}

/// Describes a device.
#[must_use]
pub fn describe(device: &Device) -> DeviceInfo {
    let (kind, detail) = match device {
        Device::Cpu => ("cpu", format!("{} threads", rayon::current_num_threads())),
        Device::Cuda(_) => ("cuda", "device 0".to_owned()),
        Device::Metal(_) => ("metal", "device 0".to_owned()),
    };
    DeviceInfo { kind: kind.to_owned(), detail, cuda_built: cfg!(feature = "cuda") }
}
