//! Records and files that are not what was written, and a disk that stops taking writes.

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{item, key, shop_line, view};
use mercer_shared::problem::Code;
use mercer_store::{Appended, Store, StoreError};

/// A closed store with five items and 2,000 interactions.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path, key()).unwrap();
    store.put_items((0..5).map(|n| item(&n.to_string())).collect()).unwrap();
    for start in [0, 500, 1000, 1500] {
        assert!(store.append((start..start + 500).map(shop_line).collect()).iter().all(Result::is_ok));
    }
    store.close().unwrap();
    (dir, path)
}

/// Changes the store from beneath.
fn beneath(path: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(path.join("sled")).segment_size(2 << 20).open().unwrap();
    change(&db);
    db.flush().unwrap();
}

#[test]
fn a_damaged_block_is_reported_and_stops_writing() {
    let (_dir, path) = filled();
    beneath(&path, |db| {
        let (key, value) = db.scan_prefix("L").nth(3).unwrap().unwrap();
        let mut value = value.to_vec();
        let middle = value.len() / 2;
        value[middle] ^= 1;
        db.insert(key, value).unwrap();
    });
    let store = Store::open(&path, key()).unwrap();
    assert!(store.is_read_only().unwrap().contains("checksum"));
    assert_eq!(store.append(vec![view("u", "i", 1)])[0].as_ref().unwrap_err().code(), Code::ReadOnly);
    assert_eq!(store.put_items(vec![item("9")]).unwrap_err().code(), Code::ReadOnly);
    assert_eq!(store.erase_user(&"shopper-1".parse().unwrap()).unwrap_err().code(), Code::ReadOnly);
    let (good, bad): (Vec<_>, Vec<_>) = store.scan_interactions(0).unwrap().partition(Result::is_ok);
    assert_eq!(bad.len(), 1);
    assert!(matches!(bad[0], Err(StoreError::Corrupt { .. })));
    assert!(good.len() > 1_500, "the sound blocks are still read: {}", good.len());
    assert!(store.export(|_| Ok::<(), StoreError>(())).is_err(), "an export says that it is not whole");
}

#[test]
fn garbage_and_swapped_records_are_reported() {
    let (_dir, path) = filled();
    beneath(&path, |db| {
        db.insert("T1", "garbage").unwrap();
        db.insert("T2", "").unwrap();
        // A sound record under another's key.
        let four = db.get("T4").unwrap().unwrap();
        db.insert("T3", four).unwrap();
    });
    let store = Store::open(&path, key()).unwrap();
    for id in ["1", "2", "3"] {
        let error = store.get_item(&id.parse().unwrap()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(&format!("item {id}")), "{error}");
    }
    assert_eq!(store.get_item(&"4".parse().unwrap()).unwrap(), Some(item("4")));
    assert_eq!(store.items().filter(Result::is_ok).count(), 2);
}

#[test]
fn a_lost_block_is_noticed() {
    for lost in [0, 3, usize::MAX] {
        let (_dir, path) = filled();
        beneath(&path, |db| {
            let mut blocks = db.scan_prefix("L").keys();
            let key = if lost == usize::MAX { blocks.next_back() } else { blocks.nth(lost) };
            db.remove(key.unwrap().unwrap()).unwrap();
        });
        let store = Store::open(&path, key()).unwrap();
        let reason = store.is_read_only().expect("a block is missing");
        assert!(reason.contains("2000 interactions were acknowledged"), "{reason}");
    }
}

#[test]
fn a_torn_file_is_an_error_or_read_only_and_never_silent() {
    let (_dir, path) = filled();
    let file = path.join("sled/db");
    let length = fs::metadata(&file).unwrap().len();
    let whole = fs::read(&file).unwrap();
    for (part, cut) in [(0.1, false), (0.3, false), (0.5, false), (0.2, true), (0.6, true)] {
        fs::write(&file, &whole).unwrap();
        let db = fs::OpenOptions::new().write(true).open(&file).unwrap();
        let at = (length as f64 * part) as u64;
        if cut {
            db.set_len(at).unwrap();
        } else {
            db.write_all_at(&[0xff; 4096], at).unwrap();
        }
        drop(db);
        match Store::open(&path, key()) {
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. } | StoreError::Storage(_)), "{error}"),
            Ok(store) => {
                let present = store.scan_interactions(0).unwrap().filter(Result::is_ok).count();
                assert!(present == 2_000 || store.is_read_only().is_some(), "{present} of 2000 at {part}, cut {cut}");
            }
        }
    }
}

/// The process whose files may not grow: runs only as a child of the test below.
#[test]
#[ignore = "the limited process of the test below"]
fn limited_writer() {
    let Ok(dir) = std::env::var("MERCER_FULL_TEST_DIR") else { return };
    let dir = Path::new(&dir);
    let store = Store::open(&dir.join("store"), key()).unwrap();
    let mut acknowledged = 0;
    let refused = (0..)
        .find_map(|batch| {
            let outcomes = store.append((batch * 500..batch * 500 + 500).map(shop_line).collect());
            if outcomes.iter().all(Result::is_ok) {
                acknowledged += 500;
                None
            } else {
                assert!(outcomes.iter().all(Result::is_err), "a group is acknowledged whole or not at all");
                outcomes.into_iter().next()
            }
        })
        .unwrap();
    assert!(matches!(refused, Err(StoreError::Storage(_))), "{refused:?}");
    let reason = store.is_read_only().unwrap();
    assert!(reason.contains("a write failed"), "{reason}");
    assert_eq!(store.append(vec![view("u", "i", 1)]), [Err(StoreError::ReadOnly(reason))]);
    assert_eq!(store.put_items(vec![item("1")]).unwrap_err().code(), Code::ReadOnly);
    assert_eq!(store.counts().interactions, acknowledged);
    // Reading goes on, unless sled has met the error at work in the background: then it answers nothing any more.
    match store.scan_interactions(1).and_then(|log| log.named().next().transpose()) {
        Ok(found) => assert_eq!(found, Some((1, shop_line(0)))),
        Err(error) => assert!(matches!(error, StoreError::Storage(_)), "{error}"),
    }
    fs::write(dir.join("acknowledged"), acknowledged.to_string()).unwrap();
    drop(store);
}

#[test]
fn a_disk_that_refuses_a_write_ends_all_writing() {
    let dir = tempfile::tempdir().unwrap();
    // The limit on file size stands in for a full disk; the signal that goes with it is ignored, so that writes fail.
    let script = r#"trap '' XFSZ; ulimit -f 8192; exec "$0" --exact limited_writer --ignored --nocapture"#;
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("MERCER_FULL_TEST_DIR", dir.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let acknowledged: u64 =
        fs::read_to_string(dir.path().join("acknowledged")).unwrap_or_else(|_| panic!("{said}")).parse().unwrap();
    assert!(acknowledged > 0);
    // With room again, what was acknowledged is there, and a retry of the refused batch settles it.
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!(store.is_read_only(), None);
    assert!(store.counts().interactions >= acknowledged);
    let outcomes = store.append((0..acknowledged + 500).map(shop_line).collect());
    assert!(outcomes[..acknowledged as usize].iter().all(|outcome| matches!(outcome, Ok(Appended::Duplicate(_)))));
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(store.counts().interactions, acknowledged + 500);
}
