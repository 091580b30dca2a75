//! What was removed is gone from the files after a compaction, and nothing else is.

mod common;

use common::{fresh, key, shop_line, text, user, view};
use mercer_shared::ids::UserId;
use mercer_shared::wire::{Interaction, InteractionType, User};
use mercer_store::{Appended, Store};

/// Every byte below a directory.
fn bytes(dir: &std::path::Path, out: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            bytes(&entry.path(), out);
        } else {
            out.extend(std::fs::read(entry.path()).unwrap());
        }
    }
}

fn holds(dir: &std::path::Path, word: &str) -> bool {
    let mut all = Vec::new();
    bytes(dir, &mut all);
    all.windows(word.len()).any(|window| window == word.as_bytes())
}

const PLANTED: [&str; 5] =
    ["the-review-of-vera", "the-search-of-vera", "the-order-of-vera", "the-attribute-of-vera", "the-list-of-vera"];

fn planted() -> Vec<Interaction> {
    let line = |at: i64| view("vera", "i", at);
    vec![
        Interaction { text: Some(PLANTED[0].to_owned()), kind: InteractionType::Review, ..line(1) },
        Interaction { query: Some(PLANTED[1].to_owned()), kind: InteractionType::Search, ..line(2) },
        Interaction { id: Some(PLANTED[2].parse().unwrap()), ..line(3) },
        Interaction { query_id: Some(PLANTED[4].to_owned()), ..line(4) },
    ]
}

#[test]
fn an_erased_user_is_gone_from_the_files_after_a_compaction() {
    let (dir, store) = fresh();
    let vera = User { attributes: [("note".into(), PLANTED[3].into())].into(), ..user("vera") };
    store.put_users(vec![vera, user("shopper-4")], &Default::default()).unwrap();
    assert!(store.append(planted()).iter().all(Result::is_ok));
    assert!(store.append((0..3000).map(shop_line).collect()).iter().all(Result::is_ok));
    store.erase_user(&UserId::new("vera").unwrap()).unwrap();
    let left = PLANTED.iter().filter(|word| holds(dir.path(), word)).count();
    assert!(left > 0, "this is what the compaction is for");

    let before = text(&store);
    let reader = store.scan_interactions(0).unwrap();
    let compaction = store.compact().unwrap();
    assert!(compaction.records > 0, "{compaction:?}");
    for word in PLANTED {
        assert!(!holds(dir.path(), word), "{word} is still in the files");
    }
    assert_eq!(reader.filter(Result::is_ok).count(), 3000, "who began to read before reads on");
    assert_eq!(text(&store), before);
    let next = store.counts().next_seq;
    assert_eq!(store.append(vec![view("zoe", "i", 9)]), [Ok(Appended::Accepted(next))]);
    let after = text(&store);
    store.close().unwrap();
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!((text(&store), store.is_read_only()), (after, None));
    assert!(store.is_erased(&"vera".parse().unwrap()));
}

#[test]
fn writes_during_a_compaction_are_kept() {
    let (dir, store) = fresh();
    assert!(store.append((0..2000).map(shop_line).collect()).iter().all(Result::is_ok));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let one = |n: i64| store.append(vec![view("wim", "i", 1_000_000 + n)]).remove(0).is_ok();
            (0..300).filter(|n| one(*n)).count()
        });
        for _ in 0..3 {
            store.compact().unwrap();
        }
        writer.join().unwrap()
    });
    assert_eq!(written, 300);
    assert_eq!(store.counts().interactions, 2300);
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    assert_eq!((store.counts().interactions, store.is_read_only()), (2300, None));
}

#[test]
fn a_compaction_that_a_crash_interrupted_is_finished_or_undone() {
    let (dir, store) = fresh();
    assert!(store.append((0..500).map(shop_line).collect()).iter().all(Result::is_ok));
    let before = text(&store);
    store.close().unwrap();
    let path = dir.path().join("store");
    let (sled, new, old) = (path.join("sled"), path.join("sled.new"), path.join("sled.old"));
    let check = || {
        let store = Store::open(&path, key()).unwrap();
        assert_eq!((text(&store), store.is_read_only()), (before.clone(), None));
        store.close().unwrap();
        assert!(sled.exists() && !new.exists() && !old.exists());
    };
    // Half-written fresh files beside the old ones.
    std::fs::create_dir(&new).unwrap();
    std::fs::write(new.join("db"), b"half").unwrap();
    check();
    // After the first rename.
    std::fs::rename(&sled, &new).unwrap();
    std::fs::create_dir(&old).unwrap();
    check();
    // After the second.
    std::fs::create_dir(&old).unwrap();
    check();
}
