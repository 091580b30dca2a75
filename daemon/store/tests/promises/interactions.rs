//! The log of interactions: idempotence, exact fields, refusals, group commit.

use mercer_shared::problem::Code;
use mercer_shared::wire::Interaction;
use mercer_store::{Appended, Options, Store, StoreError};

use crate::common::{item, key, shop_line, view};
use crate::fresh;

#[test]
fn repeated_interactions_are_found_by_id_and_by_content() {
    let (dir, store) = fresh();
    let named = |id: &str| Interaction { id: Some(id.parse().unwrap()), ..view("u1", "i1", 5) };
    let outcomes =
        store.append(vec![named("a"), named("a"), view("u1", "i1", 6), view("u1", "i1", 6), view("u1", "i1", 7)]);
    let expected = [
        Appended::Accepted(1),
        Appended::Duplicate(1),
        Appended::Accepted(2),
        Appended::Duplicate(2),
        Appended::Accepted(3),
    ];
    assert_eq!(outcomes, expected.map(Ok));

    // The id is the identity, whatever else the line says, also after a restart.
    drop(store);
    let store = Store::open(&dir.path().join("store"), key()).unwrap();
    let other = Interaction { id: Some("a".parse().unwrap()), ..view("u2", "i9", 99) };
    assert_eq!(
        store.append(vec![other, view("u1", "i1", 7)]),
        [Ok(Appended::Duplicate(1)), Ok(Appended::Duplicate(3))]
    );
    assert_eq!(store.counts().interactions, 3);
    let kept: Vec<(u64, Interaction)> = store.scan_interactions(2).unwrap().named().map(Result::unwrap).collect();
    assert_eq!(kept, [(2, view("u1", "i1", 6)), (3, view("u1", "i1", 7))]);
}

#[test]
fn every_field_comes_back() {
    let (_dir, store) = fresh();
    let lines: Vec<Interaction> = (0..600).map(shop_line).collect();
    assert!(store.append(lines.clone()).iter().all(Result::is_ok));
    let back: Vec<Interaction> = store.scan_interactions(0).unwrap().named().map(|line| line.unwrap().1).collect();
    assert_eq!(back, lines);
    // From the middle of a block on.
    let tail: Vec<u64> = store.scan_interactions(301).unwrap().map(|line| line.unwrap().seq).collect();
    assert_eq!(tail, (301..=600).collect::<Vec<_>>());
    assert_eq!(store.scan_interactions(601).unwrap().count(), 0);
}

#[test]
fn a_number_that_is_none_is_refused_line_by_line() {
    let (_dir, store) = fresh();
    let bad = Interaction { value: Some(f64::NAN), ..view("u", "i", 1) };
    let outcomes = store.append(vec![view("u", "i", 1), bad, view("u", "i", 2)]);
    assert_eq!(outcomes[0], Ok(Appended::Accepted(1)));
    assert_eq!(outcomes[1].as_ref().unwrap_err().code(), Code::BadNumber);
    assert_eq!(outcomes[2], Ok(Appended::Accepted(2)));
    let mut wrong = item("i");
    wrong.price = Some(f64::INFINITY);
    assert!(matches!(store.put_items(vec![item("j"), wrong]), Err(StoreError::Invalid(_))));
    assert_eq!(store.counts().items, 0, "all or none");
}

#[test]
fn writers_wait_for_a_full_queue_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { queue: 1, group: 2, ..Options::default() };
    let store = Store::open_with(&dir.path().join("store"), key(), options).unwrap();
    // Many more writers than the queue has room for.
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let write = |writer: i64| {
            let store = &store;
            move || {
                let outcomes = store.append((0..3).map(|n| view("u", "i", writer * 10 + n)).collect());
                outcomes
                    .into_iter()
                    .map(|outcome| match outcome {
                        Ok(Appended::Accepted(seq)) => seq,
                        other => panic!("{other:?}"),
                    })
                    .collect::<Vec<u64>>()
            }
        };
        let writers: Vec<_> = (0..20).map(|writer| scope.spawn(write(writer))).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=60).collect::<Vec<u64>>());
    store.close().unwrap();
    assert_eq!(Store::open(&dir.path().join("store"), key()).unwrap().counts().interactions, 60);
}

#[test]
fn a_closed_store_says_so() {
    let (_dir, store) = fresh();
    assert_eq!(store.append(vec![view("u", "i", 1)]), [Ok(Appended::Accepted(1))]);
    let other = store.clone();
    store.close().unwrap();
    assert_eq!(other.append(vec![view("u", "i", 2)]), [Err(StoreError::Closed)]);
    assert!(other.bytes().unwrap() > 0);
}
