//! Starts the threads that work beside requests.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::background::{embed, publish, refit};
use crate::state::app::App;

/// Starts the publisher, the embedder and the refitter; they end when the daemon stops.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(app: &Arc<App>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |name: &str, work: fn(&Arc<App>)| {
        let app = Arc::clone(app);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&app))
    };
    Ok(vec![start("publisher", publish::run)?, start("embedder", embed::run)?, start("refitter", refit::run)?])
}
