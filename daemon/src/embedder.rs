//! The thread that keeps item vectors and readers' views up to date: publishes what was applied, embeds what is new or
//! changed, refits the memory when enough came in.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mercer_model::Priority;
use mercer_search::passage_text;

use crate::app::App;
use crate::service::{memory, searches};
use crate::world::Model;

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
        let (numbers, asked, model) = {
            let mut world = app.world.lock();
            (world.take_stale(BATCH), world.take_asked(BATCH), Arc::clone(&world.view().model))
        };
        // Searches first: they are few, and somebody's next list waits for them.
        if !asked.is_empty() && !embed_asked(app, &model, asked) {
            return;
        }
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

/// Embeds what was searched for, for the behaviour network. False when the model thread has stopped.
fn embed_asked(app: &Arc<App>, model: &Model, asked: Vec<(u32, Arc<str>)>) -> bool {
    let (numbers, texts): (Vec<u32>, Vec<Arc<str>>) = asked.into_iter().unzip();
    match searches::embed(app, &model.ruler, &texts) {
        Ok(rows) => app.world.lock().set_texts(model.ruler_version(), numbers.into_iter().zip(rows)),
        Err(mercer_model::ModelError::Stopped) => return false,
        Err(error) => {
            tracing::warn!(%error, "searches could not be embedded: they are tried again");
            app.world.lock().ask_again(numbers);
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    true
}

/// Quiet after which a log that grew by a tenth is fitted again: an import is fitted once, at its end.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for quiet: a busy shop never is.
const LONGEST: Duration = Duration::from_secs(30);

/// The co-occurrence follows the log for this share of the refitter's time at most: what it costs grows with what was done.
const FOLLOWING: u32 = 10;

/// Refits when a tenth of the log is new, and keeps the co-occurrence up to date in between. A log that was never fitted does not wait:
/// until then nothing is known of its shape.
fn refit(app: &Arc<App>) {
    let (mut seen, mut since) = (0, Instant::now());
    let mut fitted: Option<Instant> = None;
    let mut rests_until = Instant::now();
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
        } else if fitted.is_some() && Instant::now() >= rests_until && (!enough || unfitted > events) {
            // Where a fit is due anyhow it would do the work twice; but whoever was erased is forgotten at once.
            let begun = Instant::now();
            if memory::follow(app) {
                rests_until = Instant::now() + (FOLLOWING - 1) * begun.elapsed();
            }
        }
    }
}
