//! `mercerd` as a library: [`run`] is what the program and the tests share.
//!
//! The layers. A module imports modules of its own layer and of those below:
//!
//! | layer | modules |
//! |---|---|
//! | entrances | `http` (one file per resource), `inbox` (files dropped into the state directory), `agent` (observes and acts) |
//! | jobs | `jobs` (what runs can be asked to do) |
//! | learning | `training` (the cycle), `evaluation`, `cross_encoder` |
//! | judging | `gate`, `runs` (life of a run), `reports` |
//! | services | `serving` (read path), `ingest` (write path), `versions` (model versions) |
//! | threads | `background` (publish, embed, refit) |
//! | state | `state` (the app, the shop in memory, caches, configuration) |
//!
//! `simulate` makes a seeded shop and depends on none of them.

pub mod agent;
pub mod background;
pub mod cross_encoder;
pub mod evaluation;
pub mod gate;
pub mod http;
pub mod inbox;
pub mod ingest;
pub mod jobs;
pub mod reports;
pub mod runs;
pub mod serving;
pub mod simulate;
pub mod state;
pub mod training;
pub mod versions;

pub use state::code_version::code_version;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mercer_model::{Encoder, Worker, WorkerOptions};
use mercer_search::passage_text;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_store::{Key, Store};
use tokio::net::UnixListener;

use crate::background::threads;
use crate::cross_encoder::rescore;
use crate::ingest::retention;
use crate::runs::lifecycle;
use crate::serving::going_out;
use crate::state::app::{App, AppParts, Peer};
use crate::state::config::Config;
use crate::state::mitigations::Mitigations;
use crate::state::problems::{model_problem, store_problem};
use crate::state::served_log::ServedLog;
use crate::state::shop::ShopWriter;
use crate::state::vector_cache::VectorCache;
use crate::versions::startup::load_serving;

/// How long requests in flight may take after the stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the daemon until `shutdown` resolves, then drains. `ready` is called once lists are answered.
///
/// # Errors
/// What keeps it from starting, as a problem with its exit code.
pub async fn run(
    config: Config,
    store: Store,
    listener: UnixListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(&Arc<App>) + Send + 'static,
) -> Result<(), Problem> {
    let opened = tokio::task::spawn_blocking(move || open(config, store)).await;
    let (app, worker) = opened.map_err(|error| Problem::new(Code::Internal, error.to_string()))??;
    let running = threads::spawn(&app)
        .map_err(|error| Problem::new(Code::Internal, format!("the system gives no thread: {error}")))?;
    lifecycle::resume(&app, jobs::execute);
    agent::spawn(&app);
    inbox::spawn(&app);
    let waiting = Arc::clone(&app);
    tokio::spawn(async move {
        tokio::select! {
            () = waiting.warmed() => ready(&waiting),
            () = waiting.stopped() => {}
        }
    });

    let stopping = Arc::clone(&app);
    let signal = async move {
        shutdown.await;
        tracing::info!("stopping");
        stopping.stop();
    };
    let router = http::router(Arc::clone(&app));
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(listener, service).with_graceful_shutdown(signal);
    let late = Arc::clone(&app);
    tokio::select! {
        result = std::future::IntoFuture::into_future(server) => {
            result.map_err(|error| Problem::new(Code::Internal, format!("the listener failed: {error}")))?;
        }
        () = async move { late.stopped().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("requests were still in flight after {DRAIN:?}");
        }
    }
    app.stop();
    let closed = tokio::task::spawn_blocking(move || {
        lifecycle::wait(&app, DRAIN);
        for thread in running {
            if thread.join().is_err() {
                tracing::error!("a background thread panicked");
            }
        }
        drop(worker);
        app.flush_frequent();
        app.store.flush()
    });
    match closed.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(store_problem(&error)),
        Err(error) => Err(Problem::new(Code::Internal, error.to_string())),
    }
}

/// Opens the store of a state directory: the lock against a second daemon, the schema, the key.
///
/// # Errors
/// `locked`, `bad-state`, `newer-schema` and the like.
pub fn open_store(state: &Path) -> Result<Store, Problem> {
    let bad = |error: std::io::Error| Problem::new(Code::BadState, format!("{}: {error}", state.display()));
    std::fs::create_dir_all(state).map_err(bad)?;
    let key = match std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join("mercer.key")) {
        Some(credential) if credential.exists() => Key::load(&credential),
        _ => Key::load_or_create(&state.join("key"), &state.join("store")),
    };
    let key = key.map_err(|error| store_problem(&error))?;
    Store::open(&state.join("store"), key).map_err(|error| store_problem(&error))
}

/// Loads the model and fills the shop in memory from the store.
fn open(config: Config, store: Store) -> Result<(Arc<App>, Worker), Problem> {
    let started = Instant::now();
    let state = config.state.clone();
    let model = load_serving(&store, &state)?;
    let options = WorkerOptions { serving_texts: config.serve.queue, ..WorkerOptions::default() };
    let worker = Worker::start(Arc::clone(&model.encoder) as Arc<dyn Encoder>, options)
        .map_err(|error| model_problem(&error))?;
    let vectors = VectorCache::open(&state.join("vectors"))
        .map_err(|error| Problem::new(Code::BadState, format!("{}: {error}", state.join("vectors").display())))?;
    let mut shop = ShopWriter::new(model);
    shop.set_default_consent(config.consent.default);
    if let Some(lexicon) = config.privacy.terms()? {
        shop.set_lexicon(lexicon);
    }
    for item in store.items() {
        shop.put_item(item.map_err(|error| store_problem(&error))?);
    }
    for deleted in store.deleted_items() {
        shop.delete_item(&deleted.map_err(|error| store_problem(&error))?.id);
    }
    // Users take their numbers in order of first sight, as they did while the daemon ran.
    for user in store.known_users() {
        shop.put_user(user.map_err(|error| store_problem(&error))?);
    }
    let log = store.scan_interactions(0).map_err(|error| store_problem(&error))?;
    for line in log.named() {
        let (seq, interaction) = line.map_err(|error| store_problem(&error))?;
        shop.interact(seq, interaction);
    }
    embed_known(&mut shop, &vectors);
    let view = shop.view();
    tracing::info!(
        items = view.item_count(),
        interactions = view.rank.log.len(),
        seconds = started.elapsed().as_secs_f64(),
        "the shop is loaded"
    );
    let model = worker.handle();
    let head_rescorer = Box::new(rescore::CrossEncoderRescorer::default());
    let mitigations = Mitigations::open(&store).map_err(|error| store_problem(&error))?;
    let served_log = ServedLog::open(&store).map_err(|error| store_problem(&error))?;
    let app = App::new(AppParts { config, store, model, shop, vectors, head_rescorer, mitigations, served_log });
    going_out::recall(&app)?;
    if app.store.is_read_only().is_none() {
        retention::apply(&app, Timestamp::now())?;
    }
    Ok((app, worker))
}

/// Sets the stored vectors of items; the others are embedded in the background.
fn embed_known(shop: &mut ShopWriter, vectors: &VectorCache) {
    let encoder = Arc::clone(&shop.view().model.encoder);
    let numbers = shop.take_stale(usize::MAX);
    let texts: Vec<String> =
        numbers.iter().map(|&n| shop.view().item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    for (number, row) in numbers.into_iter().zip(vectors.known(&encoder, &texts)) {
        match row {
            Some(row) => rows.push((number, row)),
            None => missing.push(number),
        }
    }
    shop.set_vectors(&encoder.identity().version, rows);
    shop.put_back(missing);
}
