//! What a list and a new purchase cost, on a log of 120,000 purchases by 2,000 shoppers of 4,000 items: read them as ratios, a ranker's list
//! against a blend's, following the log against fitting it.
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use mercer_rank::{
    BlendWeights, Catalogue, CollaborativeIndex, DAY_MS, Dataset, Event, IndexOptions, InteractionType, ItemFacts, Log,
    MlpOptions, RankRequest, Ranker, RankerTrainOptions, Recipient, Snapshot, Vectors, WhitenedVectors, Whitening,
    recommend, train_ranker,
};

const ITEMS: u64 = 4_000;
const SHOPPERS: u32 = 2_000;
const NOW: i64 = 400 * DAY_MS;

fn main() {
    divan::main();
}

fn event(item: u64, at: i64) -> Event {
    Event { item: Some(item as u32), text: None, kind: InteractionType::Purchase, value: 1.0, at }
}

/// A shop whose shoppers have favourites, and a theme of a tenth of the catalogue each.
static SHOP: LazyLock<Snapshot> = LazyLock::new(|| {
    let mut log = Log::new();
    let mut x = 7u64;
    let mut draw = |n: u64| {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (x >> 33) % n
    };
    for shopper in 0..SHOPPERS {
        for _ in 0..60 {
            let theme = u64::from(shopper) % 10 * (ITEMS / 10);
            let item = match draw(3) {
                0 => theme + u64::from(shopper) / 10 % 40 * 10 + draw(10),
                1 => theme + draw(ITEMS / 10),
                _ => draw(ITEMS),
            };
            log.push(shopper, event(item, draw(400) as i64 * DAY_MS + draw(DAY_MS as u64) as i64));
        }
    }
    let catalogue = Catalogue::new((0..ITEMS as u32).map(|i| ItemFacts {
        price: Some(1.0 + i as f32 % 90.0),
        category: Some(i / 100),
        brand: Some(i % 70),
        key: u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ..ItemFacts::default()
    }));
    let index =
        Arc::new(CollaborativeIndex::fit(Dataset { log: &log, catalogue: &catalogue }, NOW, &IndexOptions::default()));
    Snapshot { log, catalogue, index }
});

/// Vectors of texts, 384 numbers each: a direction that all share, one of the theme, and noise.
static TEXTS: LazyLock<Vectors> = LazyLock::new(|| {
    let mut x = 11u64;
    let mut draw = || {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (x >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let row = |item: u64, draw: &mut dyn FnMut() -> f32| -> Arc<[f32]> {
        let theme = 1 + (item / (ITEMS / 10)) as usize;
        (0..384).map(|i| 0.3 * draw() + if i == 0 { 2.0 } else { f32::from(u8::from(i == theme)) }).collect()
    };
    let rows = (0..ITEMS).map(|item| (item as u32, row(item, &mut draw)));
    Vectors::from_rows(384, rows.collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{e}"))
});

/// The same shop with texts, whitened.
static SHOP_WITH_TEXTS: LazyLock<Snapshot> = LazyLock::new(|| {
    let mut shop = SHOP.clone();
    shop.catalogue.set_vectors(Some(TEXTS.clone()));
    shop.catalogue.set_whitened(WhitenedVectors::fit(&TEXTS));
    shop
});

fn trained(shop: &Snapshot) -> Ranker {
    // Its networks are as large as any: how well they were trained costs a list nothing.
    let mlp = MlpOptions { epochs: 1, ..MlpOptions::default() };
    let o = RankerTrainOptions { cutoffs: 2, lists: 400, mlp, ..RankerTrainOptions::default() };
    train_ranker(Dataset { log: &shop.log, catalogue: &shop.catalogue }, NOW, &o)
        .map(|trained| trained.0)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// One list of twenty by the blend.
#[divan::bench]
fn list_by_the_blend(bencher: Bencher<'_, '_>) {
    let weights = BlendWeights::for_index(&SHOP.index);
    bencher.bench(|| recommend(&SHOP, &weights, Recipient::User(divan::black_box(3)), NOW, &RankRequest::new(20)));
}

/// The same by the ranker: up to 350 candidates with all their features, through all its networks.
#[divan::bench]
fn list_by_the_ranker(bencher: Bencher<'_, '_>) {
    let ranker = trained(&SHOP);
    bencher.bench(|| ranker.recommend(&SHOP, Recipient::User(divan::black_box(3)), NOW, &RankRequest::new(20)));
}

/// The same with texts: a cosine with every item, and of each candidate with sixty.
#[divan::bench]
fn list_by_the_ranker_with_texts(bencher: Bencher<'_, '_>) {
    let shop = &*SHOP_WITH_TEXTS;
    let ranker = trained(shop);
    bencher.bench(|| ranker.recommend(shop, Recipient::User(divan::black_box(3)), NOW, &RankRequest::new(20)));
}

/// How the texts of a catalogue are whitened.
#[divan::bench(sample_count = 3)]
fn fit_whitening(bencher: Bencher<'_, '_>) {
    bencher.bench(|| Whitening::fit(&TEXTS));
}

/// One new item whitened.
#[divan::bench]
fn whiten_one_item(bencher: Bencher<'_, '_>) {
    let whitening = Whitening::fit(&TEXTS);
    bencher.bench(|| Some(whitening.as_ref()?.apply(TEXTS.get(divan::black_box(3))?)));
}

/// Co-occurrence, neighbours, factors and counts from the whole log.
#[divan::bench(sample_count = 3)]
fn fit(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        CollaborativeIndex::fit(Dataset { log: &SHOP.log, catalogue: &SHOP.catalogue }, NOW, &IndexOptions::default())
    });
}

/// The same without factors, which nothing follows.
#[divan::bench(sample_count = 3)]
fn fit_without_factors(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        CollaborativeIndex::fit(Dataset { log: &SHOP.log, catalogue: &SHOP.catalogue }, NOW, &IndexOptions::light())
    });
}

/// The co-occurrence after one shopper has bought something.
#[divan::bench]
fn follow_one_purchase(bencher: Bencher<'_, '_>) {
    let mut log = SHOP.log.clone();
    log.push(3, event(77, NOW));
    bencher.bench(|| SHOP.index.follow(Dataset { log: &log, catalogue: &SHOP.catalogue }, &[3]));
}

/// The co-occurrence after one shopper with sixty purchases was erased.
#[divan::bench]
fn follow_one_erasure(bencher: Bencher<'_, '_>) {
    let mut log = SHOP.log.clone();
    log.erase(3);
    bencher.bench(|| SHOP.index.follow(Dataset { log: &log, catalogue: &SHOP.catalogue }, &[3]));
}
