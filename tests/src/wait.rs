//! Waiting for what comes true, with a limit against hanging.

use std::time::{Duration, Instant};

/// Longest wait for anything the tests wait for; a limit against hanging, not a measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Time between two looks at what is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until something holds.
///
/// # Panics
/// If it does not hold in time.
pub fn eventually<T>(what: &str, holds: impl FnMut() -> Option<T>) -> T {
    let (value, _) = within(PATIENCE, holds);
    value.unwrap_or_else(|| panic!("{what}: did not come true in {PATIENCE:?}"))
}

/// Waits until something holds, at most so long; says how long it took.
pub fn within<T>(most: Duration, mut holds: impl FnMut() -> Option<T>) -> (Option<T>, Duration) {
    let begun = Instant::now();
    loop {
        let value = holds();
        let took = begun.elapsed();
        if value.is_some() || took > most {
            return (value, took);
        }
        std::thread::sleep(LOOK);
    }
}
