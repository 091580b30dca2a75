//! Where the model runs: the CPU always, a CUDA device when the program was built with feature `cuda` and one is there.

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// The device in words, for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// Threads of the CPU, or ordinal of the CUDA device.
    pub detail: String,
    /// Whether this program could use a CUDA device at all.
    pub cuda_built: bool,
}

/// Chooses the device once, at start. A program built with `cuda` that finds no device goes on with the CPU and says so in the log.
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
