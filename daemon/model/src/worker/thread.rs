//! The loop of the model thread: serving requests first and merged, background requests in slices between them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, select_biased};

use super::{Embedded, Job, Shared};
use crate::encoder::{Encoder, Vectors};
use crate::error::ModelError;
use crate::rules::TextKind;

/// Texts of one call to the encoder at most, so that a query waits for no more than this many background texts.
const SLICE: usize = 32;

pub(super) struct Loop {
    pub(super) shared: Arc<Shared>,
    pub(super) serving: Receiver<Job>,
    pub(super) background: Receiver<Job>,
    pub(super) stopped: Receiver<()>,
}

/// A background request that is partly done.
struct Partial {
    job: Job,
    encoder: Arc<dyn Encoder>,
    version: Arc<str>,
    done: Vectors,
    next: usize,
}

impl Loop {
    pub(super) fn run(self) {
        let mut current: Option<Partial> = None;
        loop {
            if let Ok(job) = self.serving.try_recv() {
                self.serve(job);
                continue;
            }
            if let Some(partial) = current.take() {
                current = self.advance(partial);
                continue;
            }
            select_biased! {
                recv(self.serving) -> job => match job { Ok(job) => self.serve(job), Err(_) => break },
                recv(self.background) -> job => match job { Ok(job) => current = Some(self.begin(job)), Err(_) => break },
                recv(self.stopped) -> _ => break,
            }
        }
    }

    /// Runs a serving request together with those that wait behind it and fit into the same call.
    fn serve(&self, first: Job) {
        let mut jobs = vec![first];
        let mut texts = jobs[0].texts.len();
        while texts < SLICE {
            match self.serving.try_recv() {
                Ok(job) => {
                    texts += job.texts.len();
                    jobs.push(job);
                }
                Err(_) => break,
            }
        }
        // One call for each encoder and kind among them; almost always one in all.
        while !jobs.is_empty() {
            let (encoder, version) = self.encoder_of(&jobs[0]);
            let kind = jobs[0].kind;
            let (now, later): (Vec<Job>, Vec<Job>) =
                jobs.into_iter().partition(|j| j.kind == kind && Arc::ptr_eq(&self.encoder_of(j).0, &encoder));
            jobs = later;
            let all: Vec<&str> = now.iter().flat_map(|j| j.texts.iter().map(String::as_str)).collect();
            match self.embed(encoder.as_ref(), &all, kind) {
                Ok(vectors) => self.answer(now, &version, &vectors),
                Err(_) => {
                    // One bad text must not fail its neighbours: each request again, alone.
                    for job in now {
                        let texts: Vec<&str> = job.texts.iter().map(String::as_str).collect();
                        let answer = self.embed(encoder.as_ref(), &texts, kind);
                        let Job { reply, cost, .. } = job;
                        drop(cost);
                        reply(answer.map(|vectors| Embedded { version: Arc::clone(&version), vectors }));
                    }
                }
            }
        }
    }

    fn answer(&self, jobs: Vec<Job>, version: &Arc<str>, vectors: &Vectors) {
        let mut at = 0;
        for job in jobs {
            let n = job.texts.len();
            let data = vectors.data[at * vectors.dim..(at + n) * vectors.dim].to_vec();
            at += n;
            if job.kind == TextKind::Query && job.encoder.is_none() {
                let mut cache = self.shared.cache.lock();
                for (text, row) in job.texts.iter().zip(data.chunks_exact(vectors.dim.max(1))) {
                    cache.put(version, text, row);
                }
            }
            let Job { reply, cost, .. } = job;
            drop(cost);
            reply(Ok(Embedded { version: Arc::clone(version), vectors: Vectors { dim: vectors.dim, data } }));
        }
    }

    fn begin(&self, job: Job) -> Partial {
        let (encoder, version) = self.encoder_of(&job);
        let dim = encoder.dim();
        Partial {
            done: Vectors { dim, data: Vec::with_capacity(job.texts.len() * dim) },
            job,
            encoder,
            version,
            next: 0,
        }
    }

    /// One slice of a background request; gives it back while there is more to do.
    fn advance(&self, mut partial: Partial) -> Option<Partial> {
        let end = (partial.next + SLICE).min(partial.job.texts.len());
        let texts: Vec<&str> = partial.job.texts[partial.next..end].iter().map(String::as_str).collect();
        let outcome = self.embed(partial.encoder.as_ref(), &texts, partial.job.kind);
        let answer = match outcome {
            Ok(vectors) => {
                partial.done.data.extend_from_slice(&vectors.data);
                partial.next = end;
                if end < partial.job.texts.len() {
                    return Some(partial);
                }
                Ok(Embedded { version: partial.version, vectors: partial.done })
            }
            Err(e) => Err(e),
        };
        let Job { reply, cost, .. } = partial.job;
        drop(cost);
        reply(answer);
        None
    }

    fn encoder_of(&self, job: &Job) -> (Arc<dyn Encoder>, Arc<str>) {
        match &job.encoder {
            Some(e) => (Arc::clone(e), e.identity().version.as_str().into()),
            None => self.shared.encoder.read().clone(),
        }
    }

    fn embed(&self, encoder: &dyn Encoder, texts: &[&str], kind: TextKind) -> Result<Vectors, ModelError> {
        if texts.is_empty() {
            return Ok(Vectors { dim: encoder.dim(), data: Vec::new() });
        }
        let start = Instant::now();
        let vectors = encoder.embed(texts, kind)?;
        let each = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX) / texts.len() as u64;
        let pace = self.shared.pace.load(Ordering::Relaxed);
        self.shared.pace.store(pace - pace / 8 + each / 8, Ordering::Relaxed);
        self.shared.texts.fetch_add(texts.len() as u64, Ordering::Relaxed);
        Ok(vectors)
    }
}
