//! Every shipped preset on a small log of its layout, read twice.

use mercer_shared::wire::{Interaction, InteractionType};

use crate::{Shop, counts, fixture, plan};

fn words(map: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    map.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn short(line: &Interaction) -> (&str, InteractionType, &str, Option<f64>, String) {
    let who = line.user.as_ref().map_or("", |user| user.as_str());
    (who, line.kind, line.item.as_ref().map_or("", |item| item.as_str()), line.value, line.at.to_string())
}

#[test]
fn online_retail() {
    let mut shop = Shop::default();
    let report = shop.preset("online-retail", "online-retail.csv");
    assert_eq!(report.format, "preset online-retail (invoices), csv");
    assert_eq!((report.lines, report.accepted, report.duplicates, report.items, report.users), (13, 6, 0, 2, 3));
    let expected = [
        ("no customer", 2),
        ("code is no product", 1),
        ("quantity is zero", 1),
        ("negative quantity without cancellation", 1),
        ("bad-time", 1),
        ("wrong-type", 1),
    ];
    assert_eq!(counts(&report), words(&expected));
    let first = |rule: &str| report.skipped.iter().find(|known| known.rule == rule).unwrap().first_lines.clone();
    assert_eq!((first("no customer"), first("code is no product")), (vec![5, 11], vec![8]));
    assert_eq!(report.rejected.iter().map(|reason| reason.first_lines[0]).collect::<Vec<_>>(), [12, 13]);
    assert_eq!(shop.items["10001A"].title, "BRASS BIRD LANTERN");
    assert_eq!((shop.items["10001A"].price, shop.items["10001A"].currency.as_deref()), (Some(2.5), Some("GBP")));
    assert_eq!(shop.items["10002"].title, "SALT & PEPPER, \"PAIR\"");
    assert!(!shop.items.contains_key("10003"), "an item of bad lines only is not sold");
    assert_eq!(shop.users["31001"].attributes["region"], "United Kingdom");
    let lines: Vec<_> = shop.interactions.iter().map(short).collect();
    assert_eq!(lines[0], ("31001", InteractionType::Purchase, "10001A", Some(6.0), "2020-03-02T09:15:00Z".to_owned()));
    assert_eq!(lines[1], lines[0], "two equal lines of one invoice are two purchases");
    assert_ne!(shop.interactions[0].id, shop.interactions[1].id);
    assert_eq!(lines[4], ("31002", InteractionType::Return, "10001A", Some(2.0), "2020-03-04T12:00:00Z".to_owned()));
}

#[test]
fn open_ecommerce() {
    let mut shop = Shop::default();
    let report = shop.preset("open-ecommerce", "purchases.csv");
    assert_eq!((report.lines, report.accepted, report.users), (4, 3, 0));
    assert_eq!(counts(&report), words(&[("no product code", 1)]));
    assert_eq!(shop.items["AX01"].title, "Enamel Mug 'Blue'");
    assert_eq!(
        (shop.items["AX02"].title.as_str(), &shop.items["AX02"].category[..]),
        ("Kettle; 1.5 l", &["KETTLE".to_owned()][..])
    );
    assert_eq!(
        short(&shop.interactions[2]),
        ("r2", InteractionType::Purchase, "AX02", Some(2.0), "2019-05-03T00:00:00Z".to_owned())
    );
    let report = shop.preset("open-ecommerce", "users.csv");
    assert_eq!((report.format.as_str(), report.accepted, report.users), ("preset open-ecommerce (users), csv", 2, 2));
    let of = |id: &str, name: &str| shop.users[id].attributes.get(name).cloned();
    assert_eq!((of("r1", "age_band"), of("r1", "region")), (Some("25-34".into()), Some("Ohio".into())));
    assert_eq!((of("r2", "age_band"), of("r2", "gender")), (Some("65+".into()), None));
}

#[test]
fn clothing_reviews() {
    let mut shop = Shop::default();
    let report = shop.preset("clothing-reviews", "clothing-reviews.csv");
    assert_eq!((report.lines, report.accepted, report.items, report.users), (4, 4, 3, 4));
    assert_eq!(shop.items["501"].title, "Knits 501");
    assert_eq!(shop.items["501"].category, ["Tops", "Knits"]);
    assert_eq!(
        (shop.items["503"].title.as_str(), shop.items["502"].attributes["division"].as_str()),
        ("Clothing 503", "Intimates")
    );
    let first = &shop.interactions[0];
    assert_eq!(
        (first.kind, first.value, first.text.as_deref()),
        (InteractionType::Review, Some(5.0), Some("Lovely Soft, warm and it fits."))
    );
    assert_eq!(shop.users[first.user.as_ref().unwrap().as_str()].attributes["age_band"], "25-34");
    assert_eq!(shop.interactions[2].kind, InteractionType::Rating);
    let old = shop.interactions[1].user.as_ref().unwrap();
    assert_eq!(shop.users[old.as_str()].attributes["age_band"], "65+");
}

#[test]
fn movielens_1m() {
    let mut shop = Shop::default();
    let movies = shop.preset("movielens-1m", "movies.dat");
    assert_eq!((movies.lines, movies.accepted, movies.items), (2, 2, 2));
    assert_eq!(shop.items["10"].title, "Café of Shadows (1961)");
    assert_eq!(
        (&shop.items["10"].category[..], shop.items["10"].attributes["genres"].as_str()),
        (&["Drama".to_owned()][..], "Drama|Film-Noir")
    );
    assert_eq!(shop.items["11"].title, "\"Quoted\" Journey, The (1988)");
    let users = shop.preset("movielens-1m", "users.dat");
    assert_eq!((users.users, shop.users["1"].attributes["age_band"].as_str()), (2, "under 18"));
    assert_eq!(shop.users["2"].attributes["occupation"], "self-employed");
    let ratings = shop.preset("movielens-1m", "ratings.dat");
    assert_eq!((ratings.accepted, ratings.duplicates), (3, 1), "a movie is rated once by each user");
    assert_eq!(
        short(&shop.interactions[0]),
        ("1", InteractionType::Rating, "10", Some(5.0), "2000-12-31T22:12:40Z".to_owned())
    );
}

#[test]
fn movielens_100k() {
    let mut shop = Shop::default();
    let movies = shop.preset("movielens-100k", "u.item");
    assert_eq!((movies.accepted, counts(&movies)), (1, words(&[("movie is unknown", 1)])));
    let movie = &shop.items["20"];
    assert_eq!((movie.title.as_str(), &movie.category[..]), ("Été en ville (1994)", &["Comedy".to_owned()][..]));
    assert_eq!(movie.attributes["genres"], "Comedy, Romance");
    shop.preset("movielens-100k", "u.user");
    assert_eq!(
        (shop.users["7"].attributes["age_band"].as_str(), shop.users["8"].attributes.get("occupation")),
        ("18-24", None)
    );
    let ratings = shop.preset("movielens-100k", "u.data");
    assert_eq!((ratings.format.as_str(), ratings.accepted), ("preset movielens-100k (ratings), csv", 2));
}

#[test]
fn headless_files_are_told_by_their_shape_too() {
    let dir = tempfile::tempdir().unwrap();
    for (preset, file, section) in [("movielens-1m", "movies.dat", "movies"), ("movielens-100k", "u.user", "users")] {
        let copy = dir.path().join("upload");
        std::fs::copy(fixture(file), &copy).unwrap();
        let report = Shop::default().read(&copy, &plan(preset));
        assert_eq!(report.format, format!("preset {preset} ({section}), csv"));
    }
}

#[test]
fn retailrocket() {
    let mut shop = Shop::default();
    let properties = shop.preset("retailrocket", "item_properties.csv");
    assert_eq!((properties.accepted, counts(&properties)), (1, words(&[("property is not the category", 2)])));
    let described = shop.items["355908"].clone();
    assert_eq!(described.category, ["Category 1338"]);
    let events = shop.preset("retailrocket", "retailrocket-events.csv");
    assert_eq!((events.accepted, counts(&events)), (3, words(&[("type not mapped", 1)])));
    assert_eq!(shop.items["355908"], described, "a log that only names items changes nothing of them");
    assert_eq!(
        short(&shop.interactions[2]),
        ("257597", InteractionType::Purchase, "355908", None, "2015-06-02T05:02:20Z".to_owned())
    );
}

#[test]
fn ubi() {
    let mut shop = Shop::default();
    let report = shop.preset("ubi", "ubi.ndjson");
    assert_eq!(
        (report.format.as_str(), report.lines, report.accepted, report.duplicates),
        ("preset ubi, ndjson", 8, 3, 1)
    );
    let expected = [("event without object", 1), ("type not mapped", 1), ("empty query", 1), ("wrong-type", 1)];
    assert_eq!(counts(&report), words(&expected));
    let search = shop.interactions.iter().find(|line| line.kind == InteractionType::Search).unwrap();
    assert_eq!((search.query.as_deref(), search.query_id.as_deref()), (Some("garden lamp"), Some("q-1")));
    let click = shop.interactions.iter().find(|line| line.kind == InteractionType::Click).unwrap();
    assert_eq!(
        (click.position, click.query_id.as_deref(), click.session.as_ref().unwrap().as_str()),
        (Some(2), Some("q-1"), "s-1")
    );
    let cart = shop.interactions.iter().find(|line| line.kind == InteractionType::Cart).unwrap();
    assert_eq!(
        (cart.user.as_ref().unwrap().as_str(), cart.position, cart.at.millis()),
        ("u-3", None, 1_717_236_010_000)
    );
    assert_eq!(shop.items["p2"].title, "Solar lamp");
    assert!(!shop.items.contains_key("p1"), "nothing was done with it");
}

#[test]
fn algolia_insights() {
    let mut shop = Shop::default();
    let report = shop.preset("algolia-insights", "algolia-insights.json");
    assert_eq!((report.format.as_str(), report.lines, report.accepted), ("preset algolia-insights, json", 4, 3));
    assert_eq!(counts(&report), words(&[("event without object", 1)]));
    assert_eq!(report.interactions, words(&[("cart", 2), ("click", 1), ("purchase", 2)]));
    let click = &shop.interactions[0];
    assert_eq!((click.position, click.query_id.as_deref()), (Some(3), Some("43b15df305339e827f0ac0bdc5ebcaa7")));
    let bought: Vec<_> = shop.interactions[3..].iter().map(short).collect();
    assert_eq!(bought[0], ("user-7", InteractionType::Purchase, "o1", Some(2.0), "2024-06-01T10:00:03Z".to_owned()));
    assert_eq!((bought[1].2, bought[1].3), ("o2", Some(1.0)));
}

#[test]
fn gorse() {
    let mut shop = Shop::default();
    let items = shop.preset("gorse", "gorse-items.csv");
    assert_eq!(items.items, 2);
    assert_eq!(
        (shop.items["repo:a"].title.as_str(), &shop.items["repo:a"].category[..]),
        ("A fast tool", &["tools".to_owned(), "cli".to_owned()][..])
    );
    assert!(shop.items["repo:b"].hidden && shop.items["repo:b"].title == "Item repo:b");
    shop.preset("gorse", "gorse-users.ndjson");
    assert_eq!(shop.users["ann"].attributes["labels"], "night|berlin");
    let feedback = shop.preset("gorse", "gorse-feedback.csv");
    assert_eq!((feedback.accepted, feedback.duplicates, counts(&feedback)), (2, 1, words(&[("type not mapped", 1)])));
    assert_eq!(
        short(&shop.interactions[0]),
        ("ann", InteractionType::Favourite, "repo:a", None, "2021-03-04T05:06:07Z".to_owned())
    );
}
