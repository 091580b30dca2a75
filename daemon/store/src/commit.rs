//! Group commit: one thread takes all queued batches, writes them as one sled batch with one flush, and then acknowledges
//! them. The next group gathers during the flush, so a slower disk makes larger groups and no timer is needed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use mercer_shared::wire::Interaction;
use parking_lot::Mutex;

use crate::block::blocks;
use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::interaction::{StoredInteraction, identity};
use crate::layout::{SESSION_NAME, USER_NAME, log_key};
use crate::names::name_record;
use crate::pseudonym::Pseudonym;

/// What happened to an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, with this sequence number.
    Accepted(u64),
    /// The log has it already, with this sequence number.
    Duplicate(u64),
}

/// The answer to one line of a batch.
pub type LineOutcome = Result<Appended>;

/// A batch in the queue.
struct QueuedBatch {
    lines: Vec<Interaction>,
    reply: Sender<Vec<LineOutcome>>,
}

/// The committer's thread and its queue.
pub(crate) struct Committer {
    queue: Mutex<Option<Sender<QueuedBatch>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(core: &Arc<Core>) -> Result<Self> {
        let (sender, receiver) = bounded(core.options.queue);
        let core = Arc::clone(core);
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || serve(&core, &receiver))
            .map_err(|error| StoreError::Storage(format!("cannot start the committer: {error}")))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues a batch, waiting while the queue is full, and waits until it is durable: one answer for each line, in order.
    pub(crate) fn commit(&self, lines: Vec<Interaction>) -> Vec<LineOutcome> {
        let size = lines.len();
        let closed = || vec![Err(StoreError::Closed); size];
        let Some(queue) = self.queue.lock().clone() else { return closed() };
        let (reply, answer) = bounded(1);
        if queue.send(QueuedBatch { lines, reply }).is_err() {
            return closed();
        }
        // Dropped before the wait, so that `stop` sees the queue close.
        drop(queue);
        answer.recv().unwrap_or_else(|_| closed())
    }

    /// Commits the queued batches and ends the thread.
    pub(crate) fn stop(&self) {
        drop(self.queue.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(core: &Core, queue: &Receiver<QueuedBatch>) {
    while let Ok(first) = queue.recv() {
        let mut lines = first.lines.len();
        let mut group = vec![first];
        while lines < core.options.group
            && let Ok(next) = queue.try_recv()
        {
            lines += next.lines.len();
            group.push(next);
        }
        let (batches, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|batch| (batch.lines, batch.reply)).unzip();
        for (outcomes, reply) in commit(core, batches).into_iter().zip(replies) {
            // A caller that no longer waits needs no answer.
            let _ = reply.send(outcomes);
        }
    }
}

/// Commits a group; one list of answers for each batch, one answer for each line.
fn commit(core: &Core, batches: Vec<Vec<Interaction>>) -> Vec<Vec<LineOutcome>> {
    let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
    let all = |error: &StoreError| sizes.iter().map(|&size| vec![Err(error.clone()); size]).collect();
    let mut writer = match core.write() {
        Ok(writer) => writer,
        Err(error) => return all(&error),
    };
    let mut group = Group {
        core,
        writer: &mut writer,
        accepted: Vec::new(),
        identities: Vec::new(),
        batch: sled::Batch::default(),
        named: Vec::new(),
    };
    let outcomes = batches.into_iter().map(|lines| lines.into_iter().map(|line| group.take(line)).collect()).collect();
    match group.finish() {
        Ok(()) => outcomes,
        Err(error) => all(&error),
    }
}

/// A group that is being committed.
struct Group<'a> {
    core: &'a Core,
    writer: &'a mut Writer,
    accepted: Vec<StoredInteraction>,
    identities: Vec<[u8; 16]>,
    named: Vec<Pseudonym>,
    batch: sled::Batch,
}

impl Group<'_> {
    /// Decides about one line. The index learns accepted lines at once, so that a repetition within the group is found.
    fn take(&mut self, interaction: Interaction) -> LineOutcome {
        let keys = &self.core.keys;
        let user = interaction.user.clone();
        let session = interaction.session.clone();
        let mut line = StoredInteraction::from_wire(keys, interaction)?;
        if let Some(user) = &line.user
            && !self.writer.tombstones.is_empty()
            && self.writer.tombstones.contains(&keys.tombstone(user))
        {
            return Err(StoreError::Erased);
        }
        let identity = identity(keys, &line);
        if let Some(&seq) = self.writer.identities.get(&identity) {
            return Ok(Appended::Duplicate(seq));
        }
        if let (Some(pseudonym), Some(id)) = (line.user, &user) {
            self.name(USER_NAME, pseudonym, id.as_str())?;
        }
        if let (Some(pseudonym), Some(id)) = (line.session, &session) {
            self.name(SESSION_NAME, pseudonym, id.as_str())?;
        }
        line.seq = self.writer.next_seq + self.accepted.len() as u64;
        let seq = line.seq;
        self.writer.identities.insert(identity, seq);
        self.identities.push(identity);
        self.accepted.push(line);
        Ok(Appended::Accepted(seq))
    }

    fn name(&mut self, prefix: u8, pseudonym: Pseudonym, id: &str) -> Result<()> {
        if let Some(record) = name_record(self.core, self.writer, prefix, pseudonym, id)? {
            self.batch.insert(&record.key[..], record.bytes);
            self.named.push(pseudonym);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if self.accepted.is_empty() {
            return Ok(());
        }
        let count = self.accepted.len() as u64;
        let outcome = blocks(std::mem::take(&mut self.accepted)).and_then(|blocks| {
            for (base, record) in blocks {
                self.batch.insert(&log_key(base)[..], record);
            }
            self.core.apply(std::mem::take(&mut self.batch))
        });
        if outcome.is_err() {
            // They were not acknowledged. The store is read-only now; opening it again finds out which of them are there.
            for identity in &self.identities {
                self.writer.identities.remove(identity);
            }
            for pseudonym in &self.named {
                self.writer.named.remove(pseudonym);
            }
            return outcome;
        }
        self.writer.next_seq += count;
        self.core.lock.note(self.writer.next_seq);
        self.core.counters.interactions.fetch_add(count, Ordering::AcqRel);
        self.core.counters.next_seq.store(self.writer.next_seq, Ordering::Release);
        Ok(())
    }
}
