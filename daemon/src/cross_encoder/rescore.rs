//! Re-scores the head of a list on a separate thread, within the configured time budget.
//!
//! The thread loads the model at its first use and after another one was saved. It scores a few rows at a time and
//! stops at the deadline. Rows without a score keep their places; the whole list keeps its order if the thread is busy.
//! A request waits at most as long as the budget, and no other request waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mercer_learn::cross_encoder::CrossEncoder;
use mercer_model::TextKind;
use mercer_search::passage_text;
use mercer_shared::wire::{ListItem, Reason, ReasonCategory};
use mercer_store::Store;
use parking_lot::Mutex;

use crate::cross_encoder::mix::{HEAD, mixed};
use crate::cross_encoder::texts::{HistoryText, Reader, history_texts};
use crate::state::config::Config;
use crate::state::head_rescorer::{HeadRequest, HeadRescorer};
use crate::state::problems::Answer;
use crate::versions::cross_encoder::{KeptCrossEncoder, kept, load};
use crate::versions::encoders;

/// Lists that may wait for the thread: more would wait longer than any budget.
const WAITING: usize = 2;
/// Rows scored between two looks at the clock.
const AT_ONCE: usize = 4;
/// What a row is thought to cost before the first was measured, microseconds.
const FIRST_GUESS: u64 = 20_000;

/// A question to the thread.
struct Job {
    history: Vec<HistoryText>,
    items: Vec<String>,
    until: Instant,
    reply: Sender<Vec<f32>>,
}

/// The loaded model.
struct Loaded {
    scorer: CrossEncoder,
    reader: Reader,
}

/// What serving knows of the kept model.
#[derive(Default)]
pub struct CrossEncoderRescorer {
    /// The kept model and the channel to its thread; `None` until the first request.
    state: Mutex<Option<State>>,
    /// Moving average of microseconds a row; 0 before the first.
    pace: Arc<AtomicU64>,
}

#[derive(Clone)]
enum State {
    /// Re-scores.
    On(Arc<KeptCrossEncoder>, Sender<Job>),
    /// Does not, and why.
    Off(Arc<str>),
}

impl CrossEncoderRescorer {
    fn state(&self, config: &Config, store: &Store) -> State {
        let mut state = self.state.lock();
        if let Some(state) = &*state {
            return state.clone();
        }
        let found = match self.find(config, store) {
            Ok(on) => on,
            Err(why) => {
                tracing::info!(why, "lists are not re-scored");
                State::Off(why.into())
            }
        };
        *state = Some(found.clone());
        found
    }

    fn find(&self, config: &Config, store: &Store) -> Result<State, String> {
        let kept = kept(store).map_err(|e| e.to_string())?.ok_or("no cross-encoder was trained yet")?;
        if !kept.report.check.serves {
            return Err(kept.report.check.reason);
        }
        let (send, receive) = bounded(WAITING);
        let (kept, state, pace) = (Arc::new(kept), config.state.clone(), Arc::clone(&self.pace));
        let of_thread = Arc::clone(&kept);
        std::thread::Builder::new()
            .name("pair".to_owned())
            .spawn(move || match read(&state, &of_thread) {
                Ok(loaded) => work(&loaded, &receive, &pace),
                // The channel closes, and lists stay as they are.
                Err(problem) => tracing::error!(%problem, "the cross-encoder cannot be read"),
            })
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        Ok(State::On(kept, send))
    }

    /// Rows that fit into a time at the measured rate.
    fn fitting(&self, budget: Duration) -> usize {
        let pace = match self.pace.load(Ordering::Relaxed) {
            0 => FIRST_GUESS,
            pace => pace,
        };
        (budget.as_micros() as u64 / pace) as usize
    }
}

fn read(state: &Path, kept: &KeptCrossEncoder) -> Answer<Loaded> {
    let base = encoders::base(state, &kept.encoder.0, &kept.encoder.1)?;
    let scorer = load(state, kept, &base)?;
    let reader = Reader::new(&base, scorer.meta().join, scorer.meta().max_tokens)?;
    Ok(Loaded { scorer, reader })
}

fn work(loaded: &Loaded, jobs: &Receiver<Job>, pace: &AtomicU64) {
    for job in jobs {
        let begun = Instant::now();
        if begun >= job.until {
            continue;
        }
        match score(loaded, &job) {
            Ok(scores) => {
                if !scores.is_empty() {
                    let each = (begun.elapsed().as_micros() as u64 / scores.len() as u64).max(1);
                    let known = pace.load(Ordering::Relaxed);
                    pace.store(if known == 0 { each } else { known - known / 4 + each / 4 }, Ordering::Relaxed);
                }
                // Whoever asked may have stopped waiting.
                let _ = job.reply.send(scores);
            }
            Err(problem) => tracing::warn!(%problem, "a list could not be re-scored"),
        }
    }
}

/// Log-odds of as many rows as the time allows.
fn score(loaded: &Loaded, job: &Job) -> Answer<Vec<f32>> {
    let behaviour = loaded.reader.behaviour_of(&job.history)?;
    let mut scores = Vec::with_capacity(job.items.len());
    // A piece begins only if it can be expected to end in time, by how long the one before took.
    let mut took = Duration::ZERO;
    for some in job.items.chunks(AT_ONCE) {
        let begun = Instant::now();
        if begun + took >= job.until {
            break;
        }
        let bodies = loaded.reader.bodies(some, TextKind::Passage)?;
        let items: Vec<Vec<u32>> = bodies.iter().map(|body| loaded.reader.item(body)).collect();
        scores.extend(loaded.scorer.score_list(&behaviour, &items).map_err(|e| crate::state::problems::internal(&e))?);
        took = begun.elapsed();
    }
    Ok(scores)
}

impl HeadRescorer for CrossEncoderRescorer {
    fn rescore(&self, request: &HeadRequest<'_>, rows: &mut [ListItem]) -> Option<String> {
        let HeadRequest { config, store, view, events, at, queries, reasons } = *request;
        let budget = Duration::from_millis(config.serve.pair_budget_ms);
        if budget.is_zero() || rows.len() < 2 {
            return None;
        }
        let until = Instant::now() + budget;
        let (kept, jobs) = match self.state(config, store) {
            State::On(kept, jobs) => (kept, jobs),
            State::Off(why) => return Some(format!("the head was not re-scored: {why}")),
        };
        if at < kept.cutoff {
            return Some(format!("the head was not re-scored: {} knows events later than the moment", kept.name));
        }
        let texts = history_texts(view, events, queries, at);
        if texts.is_empty() {
            return None;
        }
        let most = HEAD.min(rows.len()).min(self.fitting(budget));
        let items: Vec<String> = rows
            .iter()
            .take(most)
            .map_while(|row| Some(passage_text(view.item(*view.item_index.get(&row.id)?)?)))
            .collect();
        if items.len() < 2 {
            return Some(format!("the head was not re-scored: {budget:?} are too short for two rows"));
        }
        let (reply, answer) = bounded(1);
        match jobs.try_send(Job { history: texts, items, until, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Some("the head was not re-scored: other lists are".to_owned()),
            Err(TrySendError::Disconnected(_)) => {
                return Some("the head was not re-scored: the cross-encoder cannot be read".to_owned());
            }
        }
        let Ok(scores) = answer.recv_deadline(until) else {
            return Some(format!("the head was not re-scored within {budget:?}"));
        };
        reorder(&kept, &scores, reasons, rows);
        Some(format!("{} re-scored the first {} rows", kept.name, scores.len()))
    }

    fn changed(&self) {
        *self.state.lock() = None;
    }
}

/// Puts the rows that were scored into their new order.
fn reorder(kept: &KeptCrossEncoder, scores: &[f32], reasons: bool, rows: &mut [ListItem]) {
    let head: Vec<ListItem> = rows[..scores.len()].to_vec();
    for (place, (from, slot)) in mixed(scores).into_iter().zip(rows.iter_mut()).enumerate() {
        let mut row = head[from].clone();
        let probability = kept.probability(scores[from]);
        if reasons && from != place {
            let text = format!(
                "the cross-encoder gives it {probability:.3} after what you did before: from rank {} to {}",
                from + 1,
                place + 1
            );
            let rank_without = Some(from as u32 + 1);
            let category = ReasonCategory::Rescoring;
            let rank = Some(place as u32 + 1);
            row.reasons.insert(0, Reason { category, text, rank, rank_without, ..Reason::default() });
        }
        *slot = row;
    }
}
