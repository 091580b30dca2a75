//! Starts the threads that work beside requests.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::background::{embed, publish, refit, served};
use crate::state::app::App;

/// Starts the publisher, the embedder, the refitter and the writer of served lists; they end when the daemon stops.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(app: &Arc<App>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |name: &str, work: fn(&Arc<App>)| {
        let app = Arc::clone(app);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&app))
    };
    Ok(vec![
        start("publisher", publish::run)?,
        start("embedder", embed::run)?,
        start("refitter", refit::run)?,
        start("served lists", served::run)?,
    ])
}
