//! Reports made by hand: quality with its trend, diversity, fairness with its groups, data with rows that look alike.

use mercer_shared::wire::*;

use super::fixtures::{at, now};

pub(crate) fn report(kind: ReportKind) -> Report {
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
    let trend = |points: &[(&str, &str, f64)]| -> Vec<RowTrend> {
        let point = |&(model, created, value): &(&str, &str, f64)| RowTrend {
            model: model.into(),
            created: at(created),
            value,
        };
        points.iter().map(point).collect()
    };
    let gap = |attribute: &str, value: f64| ReportRow {
        baseline: Some(0.061),
        verdict: Some(Verdict::WithinNoise),
        ..row(&format!("gap/{attribute}"), &format!("gap between groups by {attribute}"), Some(value), None)
    };
    let (rows, groups) = match kind {
        ReportKind::Quality => (
            vec![
                ReportRow {
                    trend: trend(&[
                        ("v000001", "2026-02-27T03:00:00Z", 0.3412),
                        ("v000001", "2026-02-28T03:00:00Z", 0.3398),
                        ("v000002", "2026-03-01T03:00:00Z", 0.3767),
                    ]),
                    ..row("ndcg@10", "NDCG@10, repeats", Some(0.3767), Some(0.0688))
                },
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
            let declared = |attribute: &str, share| {
                let label = format!("share of users whose {attribute} is declared and open to audits");
                row(&format!("known/{attribute}"), &label, Some(share), None)
            };
            let top = |unit: &str, share| {
                let label = format!("share of interactions that the most active 1 % of {unit} hold");
                row(&format!("{unit}/top-1%"), &label, Some(share), None)
            };
            let rows =
                vec![top("users", 0.12), top("items", 0.09), declared("age_band", 0.65), declared("gender", 0.64)];
            (rows, vec![])
        }
        ReportKind::Fairness => (
            vec![
                gap("age_band", 0.021),
                gap("gender", 0.017),
                gap("region", 0.048),
                gap("language x region", 0.055),
                row("worst-group/region", "worst group by region: Germany", Some(0.33), None),
            ],
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
    let seller = |group: &str, ratio: f64| ItemGroupRow {
        group: group.into(),
        items: 120,
        relevant: Some(310),
        exposure_share: 0.3,
        relevance_share: 0.4,
        catalogue_share: 0.2,
        merit_ratio: Some(ratio),
        low: Some(ratio - 0.1),
        high: Some(ratio + 0.1),
        other_ratio: Some(ratio + 0.02),
        verdict: Verdict::AboveNoise,
    };
    let items = ItemTable {
        by: "seller".into(),
        exposure_model: "1/log2(1+rank)".into(),
        other_model: "0.85^(rank-1)".into(),
        groups: vec![seller("Little Oak Supply of Sherwood", 0.7), seller("Little Oak Supply of Sheffield", 1.3)],
        not_compared: 1,
        top: Some("Little Oak Supply of Sheffield".into()),
        top_share: Some(0.129),
        hhi: Some(0.07),
        ..ItemTable::default()
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
        items: if kind == ReportKind::Fairness { vec![items] } else { Vec::new() },
        notes: vec!["64 % of the traffic is covered".into()],
        ..Report::new(kind, "v000002", now())
    }
}
