//! A daemon with nothing to do does nothing: whatever spins takes its time from serving and training.

use std::time::Duration;

use mercer_tests::shop::SMALL;
use mercer_tests::{Daemon, within};

/// How long the daemon is watched.
const WATCH: Duration = Duration::from_secs(3);
/// Processor time it may take meanwhile: a tenth of one core.
const MOST: Duration = Duration::from_millis(300);

/// Processor time of a process so far, in user and in kernel mode.
fn spent(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(1_000 * ticks / rustix::param::clock_ticks_per_second())
}

#[test]
fn an_idle_daemon_takes_no_processor_time() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.embedded();
    let pid = daemon.ask(async |client| client.status().await).unwrap().pid;
    // What the import left to do may take a moment; what never ends does not get quiet.
    let quiet = (0..5).any(|_| {
        let before = spent(pid);
        within(WATCH, || None::<()>);
        let took = spent(pid) - before;
        eprintln!("{took:?} of {WATCH:?}");
        took < MOST
    });
    assert!(quiet, "the daemon is busy with nothing");
}
