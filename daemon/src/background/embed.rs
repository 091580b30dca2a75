//! The thread that embeds new and changed items, and queries that the sequence model reads.

use std::sync::Arc;
use std::time::Duration;

use mercer_model::Priority;
use mercer_search::passage_text;

use crate::background::publish::PUBLISH;
use crate::background::query_vectors;
use crate::state::app::App;
use crate::state::shop::model::Model;

/// Items embedded between two looks at the shop.
const BATCH: usize = 128;

pub(crate) fn run(app: &Arc<App>) {
    while !app.is_stopping() {
        let (numbers, asked, model) = {
            let mut shop = app.shop.lock();
            (shop.take_stale(BATCH), shop.take_asked(BATCH), Arc::clone(&shop.view().model))
        };
        // Query texts first: they are few, and the users' next lists read them.
        if !asked.is_empty() && !embed_asked(app, &model, asked) {
            return;
        }
        if numbers.is_empty() {
            std::thread::sleep(PUBLISH);
            continue;
        }
        let texts: Vec<String> = {
            let shop = app.shop.lock();
            numbers.iter().map(|&n| shop.view().item(n).map(|item| passage_text(item)).unwrap_or_default()).collect()
        };
        match app.vectors.embed(&app.model, &model.encoder, &texts, Priority::Background) {
            Ok(rows) => {
                let rows = numbers.iter().copied().zip(rows);
                app.shop.lock().set_vectors(model.encoder_version(), rows);
                app.clear("embedding");
            }
            Err(mercer_model::ModelError::Stopped) => return,
            Err(error) => {
                app.raise("embedding", format!("items could not be embedded: {error}"));
                app.shop.lock().put_back(numbers);
                std::thread::sleep(Duration::from_secs(5));
            }
        }
    }
}

/// Embeds query texts for the sequence model. False when the model thread has stopped.
fn embed_asked(app: &Arc<App>, model: &Model, asked: Vec<(u32, Arc<str>)>) -> bool {
    let (numbers, texts): (Vec<u32>, Vec<Arc<str>>) = asked.into_iter().unzip();
    match query_vectors::embed(app, &model.base_encoder, &texts) {
        Ok(rows) => app.shop.lock().set_texts(model.base_encoder_version(), numbers.into_iter().zip(rows)),
        Err(mercer_model::ModelError::Stopped) => return false,
        Err(error) => {
            tracing::warn!(%error, "searches could not be embedded: they are tried again");
            app.shop.lock().ask_again(numbers);
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    true
}
