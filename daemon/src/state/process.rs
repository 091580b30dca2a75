//! The process itself: device, memory, and the threads of training.

use mercer_model::Encoder;

use crate::state::app::App;

/// How much less of the processor training gets than serving (nice(2)).
const NICE: i32 = 10;

/// Where the serving model runs: `cpu`, or the GPU in words.
#[must_use]
pub fn device(app: &App) -> String {
    let info = app.view().model.encoder.device();
    if info.kind == "cpu" { info.kind } else { format!("{} {}", info.kind, info.detail) }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
#[must_use]
pub fn resident_bytes() -> u64 {
    // proc(5): the second number of statm is the resident set in pages.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// A thread pool for training. Parallel work of serving never queues behind it, and the scheduler prefers serving's threads.
pub(crate) fn pool() -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|number| format!("training-{number}"))
        .start_handler(|_| yield_to_serving())
        .build()
}

pub(crate) fn yield_to_serving() {
    // On Linux the nice value belongs to the calling thread.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "training runs at the daemon's own priority");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_takes_memory() {
        let bytes = super::resident_bytes();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
