//! The loop of the model thread: serving requests first and merged, background requests in slices between them.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, select_biased};

use super::request::{EmbedRequest, Embedded};
use super::state::{VersionedEncoder, WorkerState};
use crate::encoder::{Encoder, Vectors};
use crate::error::ModelError;
use crate::rules::TextKind;

/// Maximum number of texts per call of the encoder: a query waits for at most this many background texts.
const SLICE: usize = 32;

pub(super) struct WorkerLoop {
    pub(super) state: Arc<WorkerState>,
    pub(super) serving: Receiver<EmbedRequest>,
    pub(super) background: Receiver<EmbedRequest>,
    pub(super) stopped: Receiver<()>,
}

/// A background request that is partly done.
struct BackgroundProgress {
    request: EmbedRequest,
    encoder: VersionedEncoder,
    done: Vectors,
    next: usize,
}

impl WorkerLoop {
    pub(super) fn run(self) {
        let mut current: Option<BackgroundProgress> = None;
        loop {
            if let Ok(request) = self.serving.try_recv() {
                self.serve(request);
                continue;
            }
            if let Some(progress) = current.take() {
                current = self.advance(progress);
                continue;
            }
            select_biased! {
                recv(self.serving) -> request => match request { Ok(request) => self.serve(request), Err(_) => break },
                recv(self.background) -> request => match request {
                    Ok(request) => current = Some(self.begin(request)),
                    Err(_) => break,
                },
                recv(self.stopped) -> _ => break,
            }
        }
    }

    /// Runs a serving request together with the waiting ones that fit into the same call.
    fn serve(&self, first: EmbedRequest) {
        let mut requests = vec![first];
        let mut texts = requests[0].texts.len();
        while texts < SLICE {
            match self.serving.try_recv() {
                Ok(request) => {
                    texts += request.texts.len();
                    requests.push(request);
                }
                Err(_) => break,
            }
        }
        // One call per encoder and kind; almost always one in all.
        while !requests.is_empty() {
            let encoder = self.encoder_of(&requests[0]);
            let kind = requests[0].kind;
            let (now, later): (Vec<_>, Vec<_>) = requests
                .into_iter()
                .partition(|r| r.kind == kind && Arc::ptr_eq(&self.encoder_of(r).encoder, &encoder.encoder));
            requests = later;
            self.serve_together(now, &encoder, kind);
        }
    }

    /// Embeds requests of one encoder and kind in one call.
    fn serve_together(&self, requests: Vec<EmbedRequest>, encoder: &VersionedEncoder, kind: TextKind) {
        let all: Vec<&str> = requests.iter().flat_map(|r| r.texts.iter().map(String::as_str)).collect();
        if let Ok(vectors) = self.embed(encoder, &all, kind) {
            return self.answer(requests, encoder, &vectors);
        }
        // One bad text must not fail its neighbours: each request again, alone.
        for request in requests {
            let texts: Vec<&str> = request.texts.iter().map(String::as_str).collect();
            let vectors = self.embed(encoder, &texts, kind);
            request.answer(vectors.map(|vectors| Embedded { version: Arc::clone(&encoder.version), vectors }));
        }
    }

    fn answer(&self, requests: Vec<EmbedRequest>, encoder: &VersionedEncoder, vectors: &Vectors) {
        let mut at = 0;
        for request in requests {
            let n = request.texts.len();
            let data = vectors.data[at * vectors.dim..(at + n) * vectors.dim].to_vec();
            at += n;
            if request.kind == TextKind::Query && request.encoder.is_none() {
                let mut cache = self.state.cache.lock();
                for (text, row) in request.texts.iter().zip(data.chunks_exact(vectors.dim.max(1))) {
                    cache.put(&encoder.version, text, row);
                }
            }
            let vectors = Vectors { dim: vectors.dim, data };
            request.answer(Ok(Embedded { version: Arc::clone(&encoder.version), vectors }));
        }
    }

    fn begin(&self, request: EmbedRequest) -> BackgroundProgress {
        let encoder = self.encoder_of(&request);
        let dim = encoder.encoder.dim();
        let done = Vectors { dim, data: Vec::with_capacity(request.texts.len() * dim) };
        BackgroundProgress { done, request, encoder, next: 0 }
    }

    /// Embeds one slice of a background request; returns it if there is more to do.
    fn advance(&self, mut progress: BackgroundProgress) -> Option<BackgroundProgress> {
        let end = (progress.next + SLICE).min(progress.request.texts.len());
        let texts: Vec<&str> = progress.request.texts[progress.next..end].iter().map(String::as_str).collect();
        let answer = match self.embed(&progress.encoder, &texts, progress.request.kind) {
            Ok(vectors) => {
                progress.done.data.extend_from_slice(&vectors.data);
                progress.next = end;
                if end < progress.request.texts.len() {
                    return Some(progress);
                }
                Ok(Embedded { version: progress.encoder.version, vectors: progress.done })
            }
            Err(e) => Err(e),
        };
        progress.request.answer(answer);
        None
    }

    fn encoder_of(&self, request: &EmbedRequest) -> VersionedEncoder {
        match &request.encoder {
            Some(encoder) => VersionedEncoder::new(Arc::clone(encoder)),
            None => self.state.serving_encoder.read().clone(),
        }
    }

    fn embed(&self, encoder: &VersionedEncoder, texts: &[&str], kind: TextKind) -> Result<Vectors, ModelError> {
        let encoder: &dyn Encoder = encoder.encoder.as_ref();
        if texts.is_empty() {
            return Ok(Vectors { dim: encoder.dim(), data: Vec::new() });
        }
        let start = Instant::now();
        let vectors = encoder.embed(texts, kind)?;
        self.state.count_embedded(texts.len(), start.elapsed());
        Ok(vectors)
    }
}
