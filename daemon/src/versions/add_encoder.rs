//! Installs an encoder and makes it the base of new versions.

use std::path::Path;
use std::sync::Arc;

use mercer_model::{BertEncoder, Checkpoint, registry};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AddEncoder, DataSnapshot, EncoderInfo, EventKind, ModelVersion};

use crate::state::app::App;
use crate::state::artifacts::Artifacts;
use crate::state::problems::{Answer, internal, model_problem, store_problem};
use crate::versions::directory::{self, VersionEncoders, VersionStore, encoder_ref};
use crate::versions::encoders::{ActiveEncoder, active_encoder, bytes_of, info};
use crate::versions::registry::list;

/// Adds a version on an untuned encoder, without a ranker (rankers are trained with one encoder). It can be promoted by
/// hand at once; the next cycle makes a complete one. Does nothing if such a version exists.
fn candidate(app: &App, checkpoint: Checkpoint) -> Answer<()> {
    let encoder = Arc::new(BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?);
    let named = encoder_ref(encoder.checkpoint(), None);
    if list(app)?.items.iter().any(|model| model.encoder == named) {
        return Ok(());
    }
    let draft = ModelVersion {
        parent: Some(app.view().model.meta.version.clone()),
        encoder: named,
        data: DataSnapshot {
            consent_rule: "nothing was learned from any shopper".to_owned(),
            ..DataSnapshot::default()
        },
        ..directory::draft(Timestamp::now())
    };
    let encoders = VersionEncoders { encoder: Arc::clone(&encoder), base_encoder: encoder };
    let versions = VersionStore { store: &app.store, state: &app.config.state };
    let model = directory::write(versions, draft, encoders, Artifacts::default())?;
    app.tell(EventKind::Model(Box::new(model.meta)));
    Ok(())
}

/// Checks an encoder, installs it, and makes it the base of new versions if asked; a candidate on it is listed at once then.
///
/// # Errors
/// `bad-encoder` with the file and what is wrong with it, `download-failed`.
pub fn add_encoder(app: &App, request: &AddEncoder) -> Answer<EncoderInfo> {
    app.writable()?;
    let root = app.config.state.join("encoders");
    std::fs::create_dir_all(&root).map_err(|e| internal(&e))?;
    let source = Path::new(&request.source);
    let bad = |error: mercer_model::ModelError| Problem::new(Code::BadEncoder, error.to_string());
    let added = if source.is_absolute() {
        registry::add_from_dir(source, &root).map_err(bad)?
    } else {
        let cached = registry::hub_cache().and_then(|cache| registry::find_in_cache(&request.source, &cache));
        match cached {
            Some(dir) => registry::add_from_dir(&dir, &root).map_err(bad)?,
            None => registry::download(&request.source, &registry::endpoint(), &root)
                .map_err(|error| Problem::new(Code::DownloadFailed, error.to_string()))?,
        }
    };
    let checkpoint = Checkpoint::load(&added.dir).map_err(bad)?;
    if request.activate {
        let active =
            ActiveEncoder { name: checkpoint.identity.name.clone(), sha256: checkpoint.identity.sha256.clone() };
        app.store.put_setting(&active).map_err(|e| store_problem(&e))?;
        candidate(app, checkpoint.clone())?;
    }
    Ok(info(&checkpoint, &active_encoder(&app.store)?, false, bytes_of(&added.dir)))
}
