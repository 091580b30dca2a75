//! Reports made by hand: quality, diversity, fairness with its groups.

use mercer_shared::wire::*;

use super::fixtures::{at, now};

pub(super) fn report(kind: ReportKind) -> Report {
    let row = |name: &str, label: &str, value: Option<f64>, baseline| ReportRow {
        name: name.into(),
        label: label.into(),
        value,
        undefined: value.is_none().then(|| "no item has a brand".into()),
        low: value.map(|v| v * 0.97),
        high: value.map(|v| v * 1.03),
        n: 1812,
        baseline,
        formula:
            "NDCG@10 with gain 1 for each item bought, discount log2(rank + 1), mean over users with a later purchase"
                .into(),
        verdict: value.map(|_| Verdict::AboveNoise),
        ..ReportRow::default()
    };
    let (rows, groups) = match kind {
        ReportKind::Quality => (
            vec![
                row("ndcg@10", "NDCG@10, repeats", Some(0.3767), Some(0.0688)),
                row("ndcg@10-new", "NDCG@10, new items", Some(0.1175), Some(0.0712)),
            ],
            vec![],
        ),
        ReportKind::Privacy => (vec![row("epsilon_spent", "Epsilon spent", Some(1.25), None)], vec![]),
        ReportKind::Diversity => (
            vec![
                row("coverage", "Coverage of the catalogue", Some(0.41), Some(0.003)),
                row("effective", "Effective items", Some(1204.2), Some(10.0)),
                row("dtr", "Worst brand", None, None),
            ],
            vec![],
        ),
        ReportKind::Data => {
            (vec![row("users/top-1%", "Interactions of the top 1 % of users", Some(0.12), None)], vec![])
        }
        ReportKind::Fairness => (
            vec![row("worst", "Worst group", Some(0.33), None)],
            vec![GroupTable {
                attribute: "region".into(),
                metric: "NDCG@10".into(),
                groups: vec![
                    GroupRow {
                        group: "United Kingdom".into(),
                        n: Some(1650),
                        share: Some(0.91),
                        suppressed: false,
                        mean: Some(0.378),
                        low: Some(0.366),
                        high: Some(0.39),
                        compared: Some(true),
                        ..GroupRow::default()
                    },
                    GroupRow {
                        group: "Germany".into(),
                        n: Some(44),
                        share: Some(0.024),
                        suppressed: false,
                        mean: Some(0.33),
                        low: Some(0.26),
                        high: Some(0.4),
                        compared: Some(true),
                        finding: GroupFinding::Below,
                        ..GroupRow::default()
                    },
                    GroupRow { group: "Malta".into(), suppressed: true, ..GroupRow::default() },
                ],
                gap: Some(0.048),
                noise_floor: Some(0.061),
                p: Some(0.21),
                p_holm: Some(0.21),
                worst: Some("Germany".into()),
                verdict: Verdict::WithinNoise,
                not_compared: vec!["Malta".into()],
                ..GroupTable::default()
            }],
        ),
    };
    Report {
        kind,
        model: "v000002".into(),
        created: now(),
        from: Some(at("2011-11-09")),
        to: Some(at("2011-12-09")),
        users: 1812,
        rows,
        groups,
        notes: vec!["64 % of the traffic is covered".into()],
        ..Report::new(kind, "v000002", now())
    }
}
