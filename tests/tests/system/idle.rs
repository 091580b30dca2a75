//! A daemon with nothing to do does nothing: whatever spins takes its time from serving and training.
//!
//! Nothing is measured by the clock of the test. The stream of events beats whenever the daemon was quiet for five seconds; between
//! two beats the kernel has counted the processor time of the process and how often its threads were put on a processor.

use std::path::PathBuf;

use mercer_shared::wire::EventKind;
use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, Events};

/// Beats that may pass until what an import leaves to do is done.
const BEATS: usize = 24;
/// Processor time between two beats, in milliseconds: a small part of one core for five seconds.
const MOST_MS: u64 = 300;
/// How often threads may wake between two beats. The loops that look every 40 ms or more seldom come to some 350.
const MOST_WAKES: u64 = 1_000;

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// Processor time in user and in kernel mode, in milliseconds.
    cpu_ms: u64,
    /// How often a thread that waited went on, and how often one that ran was interrupted.
    wakes: u64,
}

fn used(pid: u32) -> Used {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    let wakes = threads.map(|thread: PathBuf| {
        // A thread that has ended meanwhile has nothing to say.
        let status = std::fs::read_to_string(thread.join("status")).unwrap_or_default();
        let switches = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        switches.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum::<u64>()
    });
    Used { cpu_ms: 1_000 * ticks / rustix::param::clock_ticks_per_second(), wakes: wakes.sum() }
}

#[test]
fn an_idle_daemon_takes_no_processor_time() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let pid = daemon.ask(async |client| client.status().await).unwrap().pid;
    let mut events = Events::listen(&daemon);
    let mut seen = Vec::new();
    // What the import left to do may take a moment; what never ends does not get quiet.
    let quiet = (0..BEATS).any(|_| {
        let before = used(pid);
        events.find("a quiet moment", |event| matches!(event.kind, EventKind::Heartbeat).then_some(()));
        let now = used(pid);
        let between = Used { cpu_ms: now.cpu_ms - before.cpu_ms, wakes: now.wakes.saturating_sub(before.wakes) };
        seen.push(between);
        between.cpu_ms < MOST_MS && between.wakes < MOST_WAKES
    });
    eprintln!("{seen:?}");
    assert!(quiet, "the daemon is busy with nothing: {seen:?}");
}
