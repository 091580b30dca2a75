//! A daemon's answers made by hand: a small bilingual shop with two versions, a run in progress.

use std::collections::BTreeMap;

use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::*;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The moment at which everything here is looked at.
pub(super) fn now() -> Timestamp {
    at("2026-03-02T12:00:00Z")
}

pub(super) fn user_id(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn item_id(id: &str) -> ItemId {
    ItemId::new(id).unwrap()
}

pub(super) fn status() -> Status {
    Status {
        version: "0.1.0".into(),
        pid: 4711,
        started: at("2026-03-02T08:48:00Z"),
        now: now(),
        health: Health::Ok,
        device: "cpu".into(),
        state: "/var/lib/mercer".into(),
        schema: 1,
        model: ServingModel {
            version: "v000002".into(),
            since: at("2026-03-02T09:00:00Z"),
            encoder: "e5-small-zh-en".into(),
            dim: 384,
        },
        counts: Counts { items: 3877, embedded: 3877, users: 4339, interactions: 397_884, new_interactions: 1204 },
        traffic: Traffic {
            lists: 12_345,
            requests: 123_456,
            failures: 0,
            overloaded: 12,
            lists_per_second: 12.3,
            interactions_per_second: 4.0,
            latency: Latency { p50_ms: 3.21, p95_ms: 8.1, p99_ms: 12.34 },
        },
        upkeep: Upkeep { publications: 270_000, index_fits: 3, unfitted: 0 },
        queue: QueueStatus { serving: 3, capacity: 256, background: 0 },
        run: Some(run()),
        privacy: None,
        alarms: vec![],
        memory_bytes: 312_000_000,
        store_bytes: 120_400_000,
    }
}

pub(super) fn run() -> Run {
    Run {
        id: "r000012".into(),
        state: RunState::Running,
        cause: RunCause::Operator,
        phase: RunPhase::Encoder,
        created: at("2026-03-02T11:57:00Z"),
        started: Some(at("2026-03-02T11:57:01Z")),
        ended: None,
        step: 120,
        steps: 400,
        loss: Some(1.2345),
        losses: (0..120)
            .map(|n| LossPoint {
                step: n,
                loss: 1.2 + 2.0 / (1.0 + n as f64 / 12.0) + if n % 2 == 0 { 0.05 } else { 0.0 },
            })
            .collect(),
        items_per_second: Some(96.4),
        eta_seconds: Some(140.0),
        phase_ends_by: Some(at("2026-03-02T12:00:45Z")),
        phases_ahead: vec![
            RunPhase::Embedding,
            RunPhase::Memory,
            RunPhase::Ranker,
            RunPhase::Evaluation,
            RunPhase::Gate,
        ],
        device: "cpu".into(),
        memory_bytes: 812_000_000,
        phases: Vec::new(),
        cursor: Some(397_884),
        seed: 7,
        pair: None,
        gate: None,
        model: None,
        log: vec!["1,204 new interactions, 9,600 of replay".into(), "encoder: 12,800 pairs, batch 32".into()],
        error: None,
        record: mercer_shared::wire::RunRecord::default(),
    }
}

pub(super) fn gate(verdict: GateVerdict) -> GateReport {
    let comparison = |against: &str, slice: &str, candidate: f64, difference: f64, rule: &str, passed| Comparison {
        against: against.into(),
        metric: "ndcg@10".into(),
        slice: slice.into(),
        candidate,
        other: candidate - difference,
        difference,
        low: difference - 0.004,
        high: difference + 0.004,
        p: 0.0004,
        n: 1812,
        rule: rule.into(),
        passed,
    };
    GateReport {
        verdict,
        reason: "better than v000001 by 0.0123 on all items, not worse than own+pop".into(),
        from: at("2011-11-09"),
        to: at("2011-12-09"),
        users: 1812,
        alpha: 0.05,
        minimum_detectable: Some(0.0061),
        comparisons: vec![
            comparison("v000001", "repeat", 0.3767, 0.0123, "better", true),
            comparison("own+pop", "repeat", 0.3767, 0.0156, "not worse than 0.005", true),
            comparison("ensemble", "new", 0.1175, -0.0001, "not worse than 0.005", true),
        ],
        spending: None,
        objectives: Vec::new(),
        guardrails: Vec::new(),
        asks: false,
    }
}

pub(super) fn models() -> Vec<ModelVersion> {
    let model = |version: &str, state, value: f64, verdict| ModelVersion {
        version: version.into(),
        state,
        pinned: version == "v000001",
        parent: (version != "v000001").then(|| "v000001".into()),
        created: at("2026-03-02T08:59:00Z"),
        promoted: Some(at("2026-03-02T09:00:00Z")),
        run: (version != "v000001").then(|| "r000011".into()),
        encoder: EncoderRef {
            name: "e5-small-zh-en".into(),
            sha256: "0123456789abcdef".repeat(4),
            adapter: Some("fedcba9876543210".into()),
            dim: 384,
        },
        blend: BTreeMap::from([
            (
                "repeat".to_owned(),
                BTreeMap::from([
                    ("own".to_owned(), 0.61),
                    ("cooccurrence".to_owned(), 0.22),
                    ("popularity".to_owned(), 0.17),
                ]),
            ),
            ("new".to_owned(), BTreeMap::from([("cooccurrence".to_owned(), 0.7), ("popularity".to_owned(), 0.3)])),
        ]),
        metrics: vec![
            MetricValue {
                name: "ndcg@10".into(),
                slice: "repeat".into(),
                value: Some(value),
                low: Some(value - 0.011),
                high: Some(value + 0.011),
                n: 1812,
            },
            MetricValue {
                name: "ndcg@10".into(),
                slice: "new".into(),
                value: Some(value / 3.2),
                low: Some(value / 3.2 - 0.005),
                high: Some(value / 3.2 + 0.005),
                n: 1640,
            },
        ],
        gate: verdict,
        data: DataSnapshot {
            interactions: 396_680,
            cursor: 396_680,
            from: Some(at("2010-12-01")),
            to: Some(at("2011-11-09")),
            consent_rule: "shoppers who did not agree to training are left out".into(),
            held_out: 0.0,
        },
        privacy: None,
        seed: 7,
        code_version: "0.1.0".into(),
        bytes: 24_100_000,
    };
    vec![
        model("v000003", ModelState::Rejected, 0.3701, Some(gate(GateVerdict::Reject))),
        model("v000002", ModelState::Serving, 0.3767, Some(gate(GateVerdict::Promote))),
        model("v000001", ModelState::Retired, 0.3644, None),
    ]
}

pub(super) fn list() -> ServedList {
    let item = |id: &str, title: &str, category: &[&str], price, parts: &[(&str, f64)]| ListItem {
        id: item_id(id),
        title: title.into(),
        category: category.iter().map(|c| (*c).to_owned()).collect(),
        price,
        score: parts.iter().map(|(_, s)| s).sum(),
        probability: (category.len() > 1).then_some(0.125),
        parts: parts.iter().map(|(source, score)| ScorePart { source: (*source).into(), score: *score }).collect(),
        moved: None,
        propensity: None,
        team: None,
        reasons: vec![Reason {
            text: "without WHITE HANGING HEART T-LIGHT HOLDER this item would fall from rank 1 to 9".into(),
            item: Some(item_id("85123A")),
            rank: Some(1),
            rank_without: Some(9),
            ..Reason::default()
        }],
        unexplained: None,
    };
    ServedList {
        query_id: "q-1".into(),
        model: "v000002".into(),
        known: true,
        at: None,
        explanation: Some(ExplanationScope {
            own: 12,
            own_tried: 12,
            others_tried: 2,
            pairs_tried: 0,
            depth: 200,
            limit_ms: 2000,
            complete: true,
        }),
        items: vec![
            item(
                "85123A",
                "WHITE HANGING HEART T-LIGHT HOLDER",
                &["Home", "Lighting"],
                Some(2.95),
                &[("own", 0.61), ("cooccurrence", 0.2), ("popularity", 0.05)],
            ),
            item(
                "22423",
                "REGENCY CAKESTAND 3 TIER",
                &["Kitchen"],
                Some(12.75),
                &[("cooccurrence", 0.4), ("popularity", 0.1)],
            ),
            item(
                "zh-17",
                "红色真丝连衣裙 夏季新款 收腰显瘦",
                &["服装", "连衣裙"],
                Some(199.0),
                &[("dense", 0.3), ("lexical", 0.1)],
            ),
            item("bad", "evil \u{1b}[31mtitle\u{202e}\u{7}", &[], None, &[("popularity", 0.1)]),
        ],
        understood: Some(QueryUnderstanding {
            text: "red dress".into(),
            price: Some(PriceBound { min: None, max: Some(50.0) }),
        }),
        notes: vec!["12 items are not embedded yet".into()],
        took_us: 4210,
        drawn_from: Vec::new(),
    }
}

pub(super) fn users() -> Page<User> {
    let user = |id: &str, attributes: &[(&str, &str)]| User {
        attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        consent: Consent::default().into(),
        ..User::new(user_id(id))
    };
    Page {
        items: vec![
            user("12347", &[("region", "Iceland")]),
            user("17850", &[("region", "United Kingdom")]),
            user("顾客-9", &[]),
        ],
        next_cursor: Some("c2".into()),
    }
}

pub(super) fn profile() -> Profile {
    let interest = |name: &str, weight, events| Interest {
        name: name.into(),
        weight,
        events,
        from: vec![EventRef { at: at("2026-02-27"), kind: InteractionType::Purchase, item: Some(item_id("85123A")) }],
    };
    Profile {
        user: user_id("17850"),
        at: now(),
        model: "v000002".into(),
        attributes: BTreeMap::from([("region".into(), "United Kingdom".into())]),
        consent: Consent::default(),
        lifecycle: Lifecycle {
            stage: LifecycleStage::Active,
            first: Some(at("2025-12-01")),
            last: Some(at("2026-02-27")),
            recency_days: Some(3.5),
            baskets: 34,
            frequency: Some(10.2),
            monetary: Some(5391.21),
            counts: BTreeMap::from([("purchase".into(), 297), ("return".into(), 15)]),
        },
        categories: vec![interest("Lighting", 0.51, 90), interest("厨房用品", 0.3, 61), interest("Bags", 0.19, 40)],
        brands: vec![],
        price_bands: vec![interest("2 to 5", 0.7, 200), interest("5 to 10", 0.3, 80)],
        items: vec![interest("WHITE HANGING HEART T-LIGHT HOLDER", 0.12, 17)],
        recent_events: vec![
            ProfileEvent {
                at: at("2026-02-27"),
                kind: InteractionType::Purchase,
                item: Some(item_id("85123A")),
                title: Some("WHITE HANGING HEART T-LIGHT HOLDER".into()),
                query: None,
                value: Some(6.0),
            },
            ProfileEvent {
                at: at("2026-02-26"),
                kind: InteractionType::Search,
                item: None,
                title: None,
                query: Some("christmas lights".into()),
                value: None,
            },
        ],
        recent_queries: vec![ProfileQuery { at: at("2026-02-26"), text: "christmas lights".into() }],
        nearest: vec![Neighbour { user: user_id("12347"), similarity: 0.412 }],
        withheld: 0,
    }
}
