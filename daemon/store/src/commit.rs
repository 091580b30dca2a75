//! Group commit: one thread takes all batches that wait, writes them as one sled batch with one flush, and then
//! acknowledges. While it flushes, the next group gathers, so a group is as large as the disk is slow and nobody waits for
//! a timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mercer_shared::wire::Interaction;
use parking_lot::Mutex;

use crate::block::{blocks, from_wire, identity};
use crate::keys::Pseudonym;
use crate::layout::{SESSION_NAME, USER_NAME, log_key, pseudonym_key};
use crate::log::{NAME_VERSION, StoredInteraction};
use crate::record::wrap;
use crate::store::{Core, Writer};
use crate::{Result, Store, StoreError};

/// What became of an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable, at this place in the log.
    Accepted(u64),
    /// It was there already, at this place.
    Duplicate(u64),
}

/// The answer to one line of a batch.
pub type LineOutcome = Result<Appended>;

type Reply = Box<dyn FnOnce(Vec<LineOutcome>) + Send>;

struct Job {
    lines: Vec<Interaction>,
    reply: Reply,
}

/// The committer's thread and the way to it.
pub(crate) struct Committer {
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    pub(crate) fn start(core: &Arc<Core>) -> Result<Self> {
        let (sender, receiver) = bounded(core.options().queue);
        let core = Arc::clone(core);
        let thread = std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || serve(&core, &receiver))
            .map_err(|error| StoreError::Storage(format!("cannot start the committer: {error}")))?;
        Ok(Self { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    fn sender(&self) -> Result<Sender<Job>> {
        self.jobs.lock().clone().ok_or(StoreError::Closed)
    }

    /// Lets what waits be committed, and ends the thread.
    pub(crate) fn stop(&self) {
        drop(self.jobs.lock().take());
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

fn serve(core: &Core, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut lines = first.lines.len();
        let mut group = vec![first];
        while lines < core.options().group
            && let Ok(next) = jobs.try_recv()
        {
            lines += next.lines.len();
            group.push(next);
        }
        let mut batches = Vec::with_capacity(group.len());
        let mut replies = Vec::with_capacity(group.len());
        for job in group {
            batches.push(job.lines);
            replies.push(job.reply);
        }
        for (outcomes, reply) in commit(core, batches).into_iter().zip(replies) {
            // A caller's mistake must not end everybody's writing.
            if catch_unwind(AssertUnwindSafe(|| reply(outcomes))).is_err() {
                tracing::error!("the receiver of a commit's answer panicked");
            }
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

/// A group on its way to the disk.
struct Group<'a> {
    core: &'a Core,
    writer: &'a mut Writer,
    accepted: Vec<StoredInteraction>,
    identities: Vec<[u8; 16]>,
    named: Vec<Pseudonym>,
    batch: sled::Batch,
}

impl Group<'_> {
    /// Decides about one line. The index learns accepted lines at once, so that a repetition within the group is seen.
    fn take(&mut self, interaction: Interaction) -> LineOutcome {
        let keys = &self.core.keys;
        let names = (interaction.user.clone(), interaction.session.clone());
        let mut line = from_wire(keys, interaction)?;
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
        if let (Some(pseudonym), Some(id)) = (line.user, &names.0) {
            self.name(USER_NAME, pseudonym, id.as_str())?;
        }
        if let (Some(pseudonym), Some(id)) = (line.session, &names.1) {
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
        if let Some((key, record)) = name_record(self.core, self.writer, prefix, pseudonym, id)? {
            self.batch.insert(&key[..], record);
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
            // Not acknowledged, so not known: after a restart it may be there or not, and a retry settles it.
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

/// Names remembered as stored before the memory starts over.
const REMEMBERED: usize = 1 << 20;

/// The record that keeps a name, if it is not in the store yet.
pub(crate) fn name_record(
    core: &Core,
    writer: &mut Writer,
    prefix: u8,
    pseudonym: Pseudonym,
    id: &str,
) -> Result<Option<([u8; 33], Vec<u8>)>> {
    if writer.named.len() >= REMEMBERED {
        writer.named.clear();
    }
    if !writer.named.insert(pseudonym) {
        return Ok(None);
    }
    let key = pseudonym_key(prefix, &pseudonym);
    if core.tree.contains_key(key)? {
        return Ok(None);
    }
    let sealed = core.keys.seal(&pseudonym, id)?;
    Ok(Some((key, wrap(&key, NAME_VERSION, &sealed))))
}

impl Store {
    /// Appends interactions and waits until they are durable: one answer for each, in order.
    #[must_use]
    pub fn append(&self, batch: Vec<Interaction>) -> Vec<LineOutcome> {
        let size = batch.len();
        let (sender, receiver) = bounded(1);
        let reply = move |outcomes| {
            let _ = sender.send(outcomes);
        };
        let sent = self
            .committer
            .sender()
            .and_then(|jobs| jobs.send(Job { lines: batch, reply: Box::new(reply) }).map_err(|_| StoreError::Closed));
        match sent {
            Ok(()) => receiver.recv().unwrap_or_else(|_| vec![Err(StoreError::Closed); size]),
            Err(error) => vec![Err(error); size],
        }
    }

    /// Hands interactions to the committer without waiting; `reply` is called on its thread once they are durable or
    /// refused, and must be quick.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if the queue is full, [`StoreError::Closed`] after [`Store::close`]; `reply` is not called
    /// then.
    pub fn append_then(
        &self,
        batch: Vec<Interaction>,
        reply: impl FnOnce(Vec<LineOutcome>) + Send + 'static,
    ) -> Result<()> {
        self.committer.sender()?.try_send(Job { lines: batch, reply: Box::new(reply) }).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Whether the log holds this interaction already; not so for one that would be refused.
    #[must_use]
    pub fn holds(&self, interaction: &Interaction) -> bool {
        let core = self.core();
        from_wire(&core.keys, interaction.clone())
            .is_ok_and(|line| core.writer.lock().identities.contains_key(&identity(&core.keys, &line)))
    }

    /// Batches that wait for the committer.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.committer.sender().map_or(0, |jobs| jobs.len())
    }
}
