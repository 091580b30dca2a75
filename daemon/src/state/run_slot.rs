//! The run in progress.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use mercer_shared::wire::Run;
use parking_lot::Mutex;

/// The run in progress.
#[derive(Default)]
pub struct RunSlot {
    pub(crate) active: Mutex<Option<Active>>,
    pub(crate) current: Mutex<Option<Run>>,
}

pub(crate) struct Active {
    pub(crate) cancel: Arc<AtomicBool>,
    pub(crate) thread: JoinHandle<()>,
}
