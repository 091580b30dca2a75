//! What was acknowledged is kept, exactly once: the real daemon is killed while clients write, again and again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mercer_shared::client::Client;
use mercer_shared::wire::{BatchLine, LineStatus};
use mercer_tests::{Daemon, eventually, item, lines, purchase};

/// Kills.
const ROUNDS: u64 = 10;
/// Lines of a writer's batch.
const BATCH: usize = 8;

/// What a writer knows at the end of a round: ids that were acknowledged, and ids that it sent without hearing of them.
struct Heard {
    acknowledged: Vec<String>,
    unknown: Vec<String>,
}

/// Writes until the daemon is gone: single documents, or batches.
fn writer(socket: PathBuf, name: String, batches: bool, count: Arc<AtomicUsize>) -> JoinHandle<Heard> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::new(socket);
            let mut heard = Heard { acknowledged: Vec::new(), unknown: Vec::new() };
            for n in 0.. {
                let ids: Vec<String> =
                    (0..if batches { BATCH } else { 1 }).map(|line| format!("{name}-{n}-{line}")).collect();
                match send(&client, &name, &ids, batches).await {
                    Some(accepted) => {
                        count.fetch_add(accepted, Ordering::Relaxed);
                        assert_eq!(accepted, ids.len());
                        heard.acknowledged.extend(ids);
                    }
                    None => {
                        heard.unknown = ids;
                        break;
                    }
                }
            }
            heard
        })
    })
}

/// Sends interactions; how many lines were acknowledged, or nothing if the answer did not come whole.
async fn send(client: &Client, user: &str, ids: &[String], batch: bool) -> Option<usize> {
    if !batch {
        return client.interact(&purchase(&ids[0], user, "a")).await.ok().map(|_| 1);
    }
    let text: Vec<String> = ids.iter().map(|id| serde_json::to_string(&purchase(id, user, "a")).unwrap()).collect();
    let mut answers = client.batch("interactions", text.join("\n").into_bytes()).await.ok()?;
    let mut accepted = 0;
    while let Some(line) = answers.next().await {
        match line.ok()? {
            BatchLine::Line(line) if line.status != LineStatus::Rejected => accepted += 1,
            BatchLine::Line(line) => panic!("{line:?}"),
            BatchLine::Summary { .. } => return Some(accepted),
        }
    }
    None
}

/// Ids of all interactions of an export.
fn kept(daemon: &Daemon) -> Vec<String> {
    let export = lines(&daemon.mercer_ok(&["export"]));
    export.iter().filter_map(|line| line["interaction"]["id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills() {
    let mut daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    let (mut acknowledged, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        let count = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = [("single", false), ("batch", true), ("other", false)]
            .map(|(name, batches)| writer(daemon.socket(), format!("{name}-{round}"), batches, Arc::clone(&count)))
            .into();
        // Not a moment by the clock but by what was acknowledged, so that each round kills in the middle of writing.
        let enough = 1 + (round * 37 % 101) as usize;
        eventually("the writers are heard", || (count.load(Ordering::Relaxed) >= enough).then_some(()));
        daemon.kill();
        for writer in writers {
            let heard = writer.join().unwrap();
            acknowledged.extend(heard.acknowledged);
            unknown.extend(heard.unknown);
        }
        daemon.launch();
        let ids = kept(&daemon);
        let unique: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(unique.len(), ids.len(), "round {round}: something is there twice");
        let lost: Vec<_> = acknowledged.difference(&unique).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        let strange: Vec<_> =
            unique.iter().filter(|id| !acknowledged.contains(*id) && !unknown.contains(*id)).collect();
        assert!(strange.is_empty(), "round {round}: {strange:?}");
        // What is derived from the log agrees with it.
        let counts = daemon.ask(async |client| client.status().await).unwrap().counts;
        assert_eq!(counts.interactions, ids.len() as u64, "round {round}");
    }
    // Whoever did not hear sends again, and every line is there once.
    let ids: Vec<String> = unknown.iter().cloned().collect();
    let again = daemon.ask(async |client| send(&client, "again", &ids, true).await);
    assert_eq!(again, Some(ids.len()));
    acknowledged.extend(unknown);
    let ids = kept(&daemon);
    assert_eq!(ids.len(), acknowledged.len());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    eprintln!("{} interactions through {ROUNDS} kills", acknowledged.len());
    assert!(daemon.terminate(), "a drained daemon ends well");
}

#[test]
fn a_killed_import_can_be_repeated() {
    let mut daemon = Daemon::start();
    let batch: String = (0..20_000)
        .map(|n| serde_json::to_string(&purchase(&format!("i{n}"), &format!("u{}", n % 97), "a")).unwrap() + "\n")
        .collect();
    let file = daemon.file("interactions.ndjson", batch);
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    let argument = format!("interactions={file}");
    let arguments = ["import", "--format", "ndjson", argument.as_str()];
    std::thread::scope(|scope| {
        let socket = daemon.socket();
        let import = scope.spawn(move || mercer_tests::mercer(&socket, &arguments));
        eventually("the import has begun", || {
            let status = daemon.ask(async |client| client.status().await).ok()?;
            (status.counts.interactions > 0).then_some(())
        });
        daemon.kill();
        import.join().unwrap();
    });
    daemon.launch();
    let report = daemon.mercer_json(&arguments);
    assert_eq!(report["lines"], 20_000);
    assert_eq!(report["accepted"].as_u64().unwrap() + report["duplicates"].as_u64().unwrap(), 20_000, "{report}");
    assert_eq!(daemon.ask(async |client| client.status().await).unwrap().counts.interactions, 20_000);
}

#[test]
fn an_erased_shopper_stays_erased_over_a_kill() {
    let mut daemon = Daemon::start();
    daemon.ask(async |client| client.put_item(&item("a", "Lamp")).await).unwrap();
    daemon.ask(async |client| client.interact(&purchase("1", "someone-special", "a")).await).unwrap();
    let receipt = daemon.ask(async |client| client.erase("someone-special").await).unwrap();
    assert_eq!(receipt.interactions, 1);
    daemon.kill();
    daemon.launch();
    assert!(!daemon.mercer_ok(&["export"]).contains("someone-special"));
    let refused = daemon.ask(async |client| client.interact(&purchase("2", "someone-special", "a")).await);
    assert_eq!(refused.unwrap_err().code.as_str(), "erased");
    let unknown = daemon.ask(async |client| client.profile("someone-special", None).await);
    assert_eq!(unknown.unwrap_err().code.as_str(), "unknown-user");
}
