//! The thread that keeps item vectors and readers' views up to date: publishes what was applied, embeds what is new or
//! changed, refits the memory when enough came in.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mercer_model::Priority;
use mercer_search::passage_text;

use crate::app::App;
use crate::service::memory;

/// How often changes become visible. Well inside the promise of one second for interactions and two for items.
const PUBLISH: Duration = Duration::from_millis(40);
/// Items embedded between two looks at the world.
const BATCH: usize = 128;

/// Starts the publisher, the embedder and the refitter; they end when the daemon stops.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(app: &Arc<App>) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |name: &str, work: fn(&Arc<App>)| {
        let app = Arc::clone(app);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&app))
    };
    Ok(vec![start("publisher", publish)?, start("embedder", embed)?, start("refitter", refit)?])
}

fn publish(app: &Arc<App>) {
    while !app.is_stopping() {
        app.publish();
        std::thread::sleep(PUBLISH);
    }
}

fn embed(app: &Arc<App>) {
    while !app.is_stopping() {
        let (numbers, model) = {
            let mut world = app.world.lock();
            (world.take_stale(BATCH), Arc::clone(&world.view().model))
        };
        if numbers.is_empty() {
            std::thread::sleep(PUBLISH);
            continue;
        }
        let texts: Vec<String> = {
            let world = app.world.lock();
            numbers.iter().map(|&n| world.view().item(n).map(|item| passage_text(item)).unwrap_or_default()).collect()
        };
        match app.vectors.embed(&app.model, &model.encoder, &texts, Priority::Background) {
            Ok(rows) => {
                let rows = numbers.iter().copied().zip(rows);
                app.world.lock().set_vectors(model.encoder_version(), rows);
                app.clear("embedding");
            }
            Err(mercer_model::ModelError::Stopped) => return,
            Err(error) => {
                app.raise("embedding", format!("items could not be embedded: {error}"));
                app.world.lock().put_back(numbers);
                std::thread::sleep(Duration::from_secs(5));
            }
        }
    }
}

/// Quiet after which a log that grew by a tenth is fitted again: an import is fitted once, at its end.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for quiet: a busy shop never is.
const LONGEST: Duration = Duration::from_secs(30);

/// Refits when a tenth of the log is new. A log that was never fitted does not wait: until then nothing is known of its shape.
fn refit(app: &Arc<App>) {
    let (mut seen, mut since) = (0, Instant::now());
    let mut fitted: Option<Instant> = None;
    while !app.is_stopping() {
        std::thread::sleep(Duration::from_millis(200));
        let (unfitted, events) = {
            let world = app.world.lock();
            (world.unfitted(), world.view().rank.log.len() as u64)
        };
        if unfitted != seen {
            (seen, since) = (unfitted, Instant::now());
        }
        let enough = unfitted > 0 && unfitted >= (events / 10).clamp(1, 50_000);
        if enough && (since.elapsed() > QUIET || fitted.is_none_or(|last| last.elapsed() > LONGEST)) {
            memory::refit(app);
            fitted = Some(Instant::now());
        }
    }
}
