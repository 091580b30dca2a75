//! What must hold of retrieval whatever the catalogue: exactness, filters, and statistics that do not depend on history.

use std::collections::{BTreeMap, BTreeSet};

use mercer_search::{
    DenseIndex, Document, LexicalIndex, LexicalParams, LexicalReader, Query, QueryVector, Scored, SearchError,
    SearchOptions, search, tie_hash,
};
use proptest::prelude::*;

fn document(item: u32, title: &str) -> Document {
    Document { item, title: title.into(), ..Document::default() }
}

fn index(titles: &[&str]) -> LexicalReader {
    let mut index = LexicalIndex::new();
    let documents: Vec<Document> = titles.iter().enumerate().map(|(n, t)| document(n as u32, t)).collect();
    index.upsert(&documents);
    index.commit();
    index.reader()
}

fn found(reader: &LexicalReader, query: &str) -> Vec<u32> {
    let query = Query::parse(query).unwrap();
    let dense = DenseIndex::new("none", 0);
    search(reader, &dense, &query, None, 10, &|item| Some(tie_hash(item)), &SearchOptions::default())
        .unwrap()
        .iter()
        .map(|h| h.item)
        .collect()
}

fn title() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "red",
        "dress",
        "lamp",
        "t-shirt",
        "16gb",
        "men's",
        "christmas",
        "lights",
        "红色",
        "连衣裙",
        "mug",
        "手机",
    ]);
    prop::collection::vec(word, 0..7).prop_map(|words| words.join(" "))
}

#[derive(Debug, Clone)]
enum Change {
    Upsert(u32, String, String),
    Delete(u32),
    Commit,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..40u32, title(), title()).prop_map(|(i, t, d)| Change::Upsert(i, t, d)),
        2 => (0..40u32).prop_map(Change::Delete),
        2 => Just(Change::Commit),
    ]
}

fn unit(values: &[f32]) -> Vec<f32> {
    let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
    values.iter().map(|v| v / norm).collect()
}

proptest! {
    #[test]
    fn any_history_equals_a_rebuild(changes in prop::collection::vec(change(), 0..80), query in title()) {
        let mut index = LexicalIndex::new();
        let mut catalogue: BTreeMap<u32, Document> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Upsert(item, title, description) => {
                    let document = Document { item, title, description, ..Document::default() };
                    index.upsert(std::slice::from_ref(&document));
                    catalogue.insert(item, document);
                }
                Change::Delete(item) => {
                    index.delete(&[item]);
                    catalogue.remove(&item);
                }
                Change::Commit => {
                    index.commit();
                }
            }
        }
        index.commit();
        let mut rebuilt = LexicalIndex::new();
        rebuilt.upsert(&catalogue.into_values().collect::<Vec<_>>());
        rebuilt.commit();
        prop_assert_eq!(index.reader().len(), rebuilt.reader().len());
        if let Ok(query) = Query::parse(&query) {
            let params = LexicalParams { coverage: 0.5, ..LexicalParams::default() };
            let a = index.reader().search(&query, 50, &|item| Some(tie_hash(item)), &params).top;
            let b = rebuilt.reader().search(&query, 50, &|item| Some(tie_hash(item)), &params).top;
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn dense_top_k_equals_a_sort(rows in prop::collection::vec(prop::collection::vec(-2i8..=2, 5), 1..60), offset in prop::sample::select(vec![0u32, 1_000]), asked in prop::collection::vec(-2i8..=2, 5), k in 0usize..70, modulus in 1u32..4) {
        let vector = |r: &[i8]| unit(&r.iter().map(|v| f32::from(*v)).collect::<Vec<_>>());
        let mut index = DenseIndex::new("v1", 5);
        for (n, row) in rows.iter().enumerate() {
            index.set(offset + n as u32, &vector(row)).unwrap();
        }
        index.remove(offset);
        let query = QueryVector { version: "v1".into(), values: vector(&asked) };
        let keep = |item: u32| item.is_multiple_of(modulus);
        let got = index.top_k(&query, k, &|item| keep(item).then(|| tie_hash(item))).unwrap();
        let items = (offset + 1..offset + rows.len() as u32).filter(|i| keep(*i));
        let mut naive: Vec<Scored> = items.map(|item| Scored { item, score: index.score(item, &query.values).unwrap(), tie: tie_hash(item) }).collect();
        naive.sort_by(Scored::order);
        naive.truncate(k);
        prop_assert_eq!(got, naive);
    }

    #[test]
    fn filters_apply_before_the_cut(titles in prop::collection::vec(title(), 1..50), query in title(), k in 1usize..10) {
        let texts: Vec<&str> = titles.iter().map(String::as_str).collect();
        let reader = index(&texts);
        let mut dense = DenseIndex::new("v1", 2);
        for n in 0..titles.len() {
            dense.set(n as u32, &unit(&[1.0, n as f32])).unwrap();
        }
        let vector = QueryVector { version: "v1".into(), values: vec![1.0, 0.0] };
        let keep = |item: u32| item % 3 == 1;
        let Ok(query) = Query::parse(&query) else { return Ok(()) };
        let options = SearchOptions { depth: 1, ..SearchOptions::default() };
        let eligible = |item| keep(item).then(|| tie_hash(item));
        let hits = search(&reader, &dense, &query, Some(&vector), k, &eligible, &options).unwrap();
        let allowed = (0..titles.len() as u32).filter(|i| keep(*i)).count();
        prop_assert_eq!(hits.len(), allowed.min(k));
        prop_assert_eq!(hits.iter().map(|h| h.item).collect::<BTreeSet<_>>().len(), hits.len());
        prop_assert!(hits.iter().all(|h| keep(h.item) && h.score == h.parts.lexical + h.parts.dense && h.score.is_finite()));
        prop_assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[test]
fn a_reader_does_not_change_under_its_owner() {
    let mut index = LexicalIndex::new();
    index.upsert(&[document(0, "red lamp")]);
    assert!(index.reader().is_empty(), "nothing is seen before the commit");
    index.commit();
    let before = index.reader();
    index.delete(&[0]);
    index.upsert(&[document(1, "red mug")]);
    index.commit();
    assert_eq!((found(&before, "red"), found(&index.reader(), "red")), (vec![0], vec![1]));
    let mut dense = DenseIndex::new("v", 1);
    dense.set(0, &[1.0]).unwrap();
    let old = dense.clone();
    dense.set(0, &[-1.0]).unwrap();
    assert_eq!((old.row(0), dense.row(0)), (Some(&[1.0][..]), Some(&[-1.0][..])));
}

#[test]
fn what_shoppers_type_finds_what_they_mean() {
    let reader = index(&[
        "String of Christmas Lights",
        "Harley Davidson Wallet",
        "MacBook Air Sleeve",
        "Men&#39;s T-Shirt",
        "SanDisk 16GB Card",
        "红色连衣裙 夏季",
        "蓝色手机壳",
        "Dress for women, gray",
    ]);
    for (query, item) in [
        ("chrismas lights", 0),
        ("lihgts", 0),
        ("christm", 0),
        ("harleydavidson", 1),
        ("mac book", 2),
        ("mens tshirt", 3),
        ("16 gb", 4),
        ("连衣裙", 5),
        ("手机", 6),
        ("womens dresses grey", 7),
        ("ＤＲＥＳＳ", 7),
    ] {
        assert_eq!(found(&reader, query).first(), Some(&item), "{query}");
    }
    assert!(found(&reader, "zzzzqqqq").is_empty());
}

#[test]
fn a_phrase_is_kept_together_if_anything_holds_it() {
    let reader = index(&["iron cast", "cast iron pan", "pan of iron"]);
    assert_eq!(found(&reader, "\"cast iron\""), [1]);
    assert_eq!(found(&reader, "\"iron pan cast\"").len(), 3, "nothing holds it: a wish");
}

#[test]
fn vectors_of_two_versions_never_meet() {
    let mut dense = DenseIndex::new("v1", 2);
    dense.set(0, &[1.0, 0.0]).unwrap();
    let ask = |version: &str, values: Vec<f32>| {
        dense.top_k(&QueryVector { version: version.into(), values }, 1, &|item| Some(tie_hash(item)))
    };
    assert!(matches!(ask("v2", vec![1.0, 0.0]), Err(SearchError::Version { .. })));
    assert_eq!(ask("v1", vec![1.0]), Err(SearchError::Dimension { got: 1, expected: 2 }));
    assert_eq!(ask("v1", vec![f32::NAN, 0.0]), Err(SearchError::NotFinite));
    assert_eq!(dense.clone().set(0, &[1.0]), Err(SearchError::Dimension { got: 1, expected: 2 }));
    assert!(ask("v1", vec![1.0, 0.0]).is_ok());
}

#[test]
fn works_with_one_list_only() {
    let reader = index(&["red lamp", "blue mug"]);
    let mut dense = DenseIndex::new("v", 2);
    dense.set(0, &[1.0, 0.0]).unwrap();
    dense.set(1, &[0.0, 1.0]).unwrap();
    let vector = QueryVector { version: "v".into(), values: vec![0.0, 1.0] };
    let run = |text: &str, vector| {
        search(
            &reader,
            &dense,
            &Query::parse(text).unwrap(),
            vector,
            5,
            &|item| Some(tie_hash(item)),
            &SearchOptions::default(),
        )
        .unwrap()
    };
    let lexical = run("lamp", None);
    assert_eq!((lexical.len(), lexical[0].item, lexical[0].parts.dense), (1, 0, 0.0));
    let semantic = run("xyzzy", Some(&vector));
    assert_eq!((semantic.len(), semantic[0].item, semantic[0].parts.lexical), (2, 1, 0.0));
}
