//! A daemon without threads and socket, for tests of services: an empty store in a directory of its own and the built-in encoder.

use std::ops::Deref;
use std::sync::Arc;

use mercer_model::{Encoder, Worker, WorkerOptions};
use mercer_shared::wire::ListItem;
use mercer_store::{Key, Store};

use crate::state::app::{App, AppParts};
use crate::state::config::Config;
use crate::state::head_rescorer::{HeadRequest, HeadRescorer};
use crate::state::mitigations::Mitigations;
use crate::state::served_log::ServedLog;
use crate::state::shop::ShopWriter;
use crate::state::vector_cache::VectorCache;
use crate::versions::startup::load_serving;

/// Leaves every list as it is.
struct NoRescorer;

impl HeadRescorer for NoRescorer {
    fn rescore(&self, _: &HeadRequest<'_>, _: &mut [ListItem]) -> Option<String> {
        None
    }

    fn changed(&self) {}
}

/// An app for one test. Its directory is removed with it.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    _dir: tempfile::TempDir,
    _worker: Worker,
}

impl TestApp {
    /// With the default configuration.
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// With a configuration, whose state directory is replaced.
    pub(crate) fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let store = Store::open(&state.join("store"), Key::from_bytes([5; 32])).unwrap();
        let model = load_serving(&store, &state).unwrap();
        let worker = Worker::start(Arc::clone(&model.encoder) as Arc<dyn Encoder>, WorkerOptions::default()).unwrap();
        let vectors = VectorCache::open(&state.join("vectors")).unwrap();
        let mut shop = ShopWriter::new(model);
        shop.set_default_consent(config.consent.default);
        if let Some(lexicon) = config.privacy.terms().unwrap() {
            shop.set_lexicon(lexicon);
        }
        let config = Config { state, ..config };
        let (model, head_rescorer) = (worker.handle(), Box::new(NoRescorer));
        let mitigations = Mitigations::open(&store).unwrap();
        let served_log = ServedLog::open(&store).unwrap();
        let app = App::new(AppParts { config, store, model, shop, vectors, head_rescorer, mitigations, served_log });
        Self { app, _dir: dir, _worker: worker }
    }
}

impl Deref for TestApp {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}
