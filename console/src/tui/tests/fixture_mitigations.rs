//! Mitigations made by hand: two placements, one with its price and history.

use mercer_shared::wire::*;

use super::fixtures::at;

fn placement(name: &str) -> Placement {
    Placement::new(name).unwrap()
}

pub(super) fn rerankers() -> Vec<Reranker> {
    let floors = [("Little Oak Supply".to_owned(), 0.05)].into();
    vec![
        Reranker::Mmr { lambda: 0.7 },
        Reranker::Exposure { by: ItemOwner::Seller, floors, caps: [("*".to_owned(), 0.4)].into(), window_days: 28 },
    ]
}

fn revision(version: u64, rerankers: Vec<Reranker>, action: MitigationAction) -> MitigationRevision {
    MitigationRevision {
        version,
        rerankers,
        action,
        changed: at("2026-03-01T09:00:00Z").plus_millis(i64::try_from(version).unwrap() * 3_600_000),
        uid: Some(1000),
        note: (version == 3).then(|| "small sellers asked for it".to_owned()),
        before: version.checked_sub(1).filter(|before| *before > 0),
    }
}

pub(super) fn price(rerankers: Vec<Reranker>) -> MitigationPrice {
    let row = |name: &str, label: &str, [before, difference, margin]: [f64; 3]| PriceRow {
        name: name.into(),
        label: label.into(),
        before: Some(before),
        after: Some(before + difference),
        difference: Some(difference),
        low: Some(difference - margin),
        high: Some(difference + margin),
        p: (name == "ndcg@10").then_some(0.002),
        n: 1812,
        undefined: None,
        formula: format!("how {name} is computed"),
    };
    MitigationPrice {
        placement: placement("default"),
        rerankers,
        model: "v000002".into(),
        created: at("2026-03-02T08:00:00Z"),
        from: Some(at("2011-11-09")),
        to: Some(at("2011-12-09")),
        users: 1812,
        lists_changed: 1,
        rows: vec![
            row("ndcg@10", "accuracy of the first ten", [0.3767, -0.0062, 0.0021]),
            row("coverage@10", "share of eligible items shown to anybody", [0.41, 0.03, 0.01]),
            row("gini@10", "concentration of exposure, 0 even, 1 one item", [0.71, -0.04, 0.02]),
            row("effective-items@10", "items that share the exposure as if evenly", [1204.2, 151.3, 40.1]),
            row("long-tail-share@10", "exposure of the long tail", [0.033, 0.041, 0.003]),
            row("worst-group/region", "worst group of users: region Germany", [0.33, -0.001, 0.02]),
        ],
        notes: vec!["region: Malta has fewer than 30 shoppers and is left out".into()],
    }
}

pub(super) fn mitigation() -> Mitigation {
    Mitigation {
        placement: placement("default"),
        current: revision(3, rerankers(), MitigationAction::Set),
        price_status: PriceStatus::Measured,
        price: Some(price(rerankers())),
        notes: Vec::new(),
        history: vec![
            revision(2, Vec::new(), MitigationAction::Off),
            revision(
                1,
                vec![Reranker::Popularity { method: PopularityMethod::Pda, gamma: -0.2 }],
                MitigationAction::Set,
            ),
        ],
    }
}

pub(super) fn placements() -> Vec<Mitigation> {
    let home = Mitigation {
        placement: placement("home"),
        current: revision(1, vec![Reranker::Dpp { theta: 0.8 }], MitigationAction::Set),
        price_status: PriceStatus::NotMeasured,
        price: None,
        notes: Vec::new(),
        history: Vec::new(),
    };
    vec![Mitigation { history: Vec::new(), ..mitigation() }, home]
}
