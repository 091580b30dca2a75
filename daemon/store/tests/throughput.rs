//! How fast and how small: run in release with `--ignored --nocapture`.

mod common;

use std::time::Instant;

use common::{key, shop_line, view};
use mercer_store::Store;

#[test]
#[ignore = "a measurement; run in release"]
fn half_a_million_interactions() {
    const LINES: u64 = 500_000;
    let dir =
        tempfile::tempdir_in(std::env::var("MERCER_BENCH_DIR").unwrap_or_else(|_| "/var/tmp".to_owned())).unwrap();
    let path = dir.path().join("store");
    let lines: Vec<_> = (0..LINES).map(shop_line).collect();
    let report = |what: &str, start: Instant, count: u64| {
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{what}: {seconds:.2} s, {:.0} a second", count as f64 / seconds);
    };
    for size in [1_000, 100] {
        let store = Store::open(&path.with_extension(size.to_string()), key()).unwrap();
        let count = if size == 1_000 { LINES } else { 50_000 };
        let batches: Vec<_> = lines[..count as usize].chunks(size).map(<[_]>::to_vec).collect();
        let start = Instant::now();
        for batch in batches {
            assert!(store.append(batch).iter().all(Result::is_ok));
        }
        report(&format!("append in batches of {size}, one after another"), start, count);
        if size == 1_000 {
            let start = Instant::now();
            assert!(store.append(lines.clone()).iter().all(Result::is_ok));
            report("append all again (duplicates)", start, LINES);
        }
        eprintln!("on disk: {:.1} MB for {count} interactions", store.bytes().unwrap() as f64 / 1e6);
        eprintln!(
            "files beside the log: {}",
            std::fs::read_dir(path.with_extension(size.to_string()).join("sled/blobs")).unwrap().count()
        );
        store.close().unwrap();
    }
    let path = path.with_extension("1000");
    let start = Instant::now();
    let store = Store::open(&path, key()).unwrap();
    report("open with check and index", start, LINES);
    let start = Instant::now();
    assert_eq!(store.scan_interactions(0).unwrap().named().filter(Result::is_ok).count() as u64, LINES);
    report("scan with names", start, LINES);
    let start = Instant::now();
    let erased = store.erase_user(&"shopper-3".parse().unwrap()).unwrap().interactions();
    report(&format!("erase a user with {erased} interactions"), start, erased);
    // Single interactions from many threads share flushes.
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..200 {
                    assert!(store.append(vec![view("busy", "i", (thread * 1_000 + n) as i64)])[0].is_ok());
                }
            });
        }
    });
    report("single interactions from 16 threads", start, 3_200);
}
