//! Tests of exports on reports made by hand.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    CurvePoint, DifferenceRow, DifferenceWord, ExportedReport, GroupRow, GroupTable, ItemGroupRow, ItemTable, Report,
    ReportCurve, ReportDifference, ReportHashes, ReportKind, ReportRow, ReportTrend, TrendPoint, Verdict,
};

use super::noise::NoisedCounts;
use super::page::{Beside, page};
use super::protect::{Protected, exact, protect};
use super::{numbers, plots};
use crate::reports::rows::plain_row;
use crate::state::report_cache::{GroupFacts, GroupMembers};

/// What a shop may write.
const NASTY: &str = "<script>alert(\"x\")</script>, & '=1+1'";

fn group(name: &str, n: u64, mean: f64) -> GroupRow {
    GroupRow {
        group: name.to_owned(),
        n: Some(n),
        share: Some(n as f64 / 200.0),
        suppressed: false,
        mean: Some(mean),
        low: Some(mean - 0.05),
        high: Some(mean + 0.05),
        ..GroupRow::default()
    }
}

fn report() -> Report {
    let row = |name: &str, value, n| -> ReportRow { plain_row(name, "what it is", value, n, "formula") };
    let worst =
        ReportRow { label: "worst group by region: west".to_owned(), ..row("worst-group/region", Some(0.1), 12) };
    Report {
        kind: ReportKind::Fairness,
        model: "v000002".to_owned(),
        created: Timestamp::at(1_700_000_000_000),
        from: Some(Timestamp::at(1_690_000_000_000)),
        to: Some(Timestamp::at(1_700_000_000_000)),
        users: 200,
        rows: vec![row("ndcg@10/repeat", Some(0.25), 200), worst, row("missing", None, 200)],
        groups: vec![GroupTable {
            attribute: "region".to_owned(),
            metric: "ndcg@10".to_owned(),
            groups: vec![group(NASTY, 110, 0.3), group("north", 78, 0.2), group("west", 12, 0.1)],
            gap: Some(0.2),
            noise_floor: Some(0.1),
            p: Some(0.01),
            p_holm: Some(0.02),
            worst: Some("west".to_owned()),
            verdict: Verdict::AboveNoise,
            ..GroupTable::default()
        }],
        notes: vec!["12 shoppers are in the west".to_owned(), "nothing is inferred".to_owned()],
        summary: vec![ReportRow { number: Some(1), n_total: Some(200), ..row("ndcg@10/repeat", Some(0.25), 200) }],
        items: vec![ItemTable {
            groups: vec![ItemGroupRow { group: "seller".to_owned(), relevant: Some(200), ..ItemGroupRow::default() }],
            ..ItemTable::default()
        }],
        curves: vec![ReportCurve {
            name: "exposure".to_owned(),
            label: "share of items against share of exposure".to_owned(),
            points: [(0.0, 0.0), (0.5, 0.8), (1.0, 1.0)].map(|(x, y)| CurvePoint { x, y }).to_vec(),
        }],
        ..Report::new(ReportKind::Fairness, "v000002", Timestamp::at(1_700_000_000_000))
    }
}

fn compared() -> ReportDifference {
    let row = DifferenceRow {
        name: "ndcg@10/repeat".to_owned(),
        label: "ndcg".to_owned(),
        value: Some(0.25),
        against: Some(0.24),
        difference: Some(0.01),
        low: Some(-0.02),
        high: Some(0.04),
        p: Some(0.4),
        minimum_detectable: Some(0.05),
        n: 200,
        verdict: DifferenceWord::NotMeasurable,
        undefined: None,
    };
    ReportDifference { against: "v000001".to_owned(), rows: vec![row], notes: Vec::new() }
}

fn document() -> ExportedReport {
    ExportedReport {
        form: 1,
        id: "p000007".to_owned(),
        hashes: ReportHashes { data: "da".to_owned(), version: "fe".to_owned() },
        privacy: exact(),
        report: report(),
        difference: Some(compared()),
        code_version: "0".to_owned(),
    }
}

/// Noise that subtracts.
fn minus(shift: u64) -> impl Fn(&[u64], u32) -> crate::state::problems::Answer<NoisedCounts> {
    move |counts, cells| {
        Ok(NoisedCounts {
            counts: counts.iter().map(|count| count.saturating_sub(shift)).collect(),
            scale: f64::from(cells),
            epsilon: 1.0,
        })
    }
}

#[test]
fn every_count_is_noised_and_a_user_is_in_a_bounded_number_of_cells() {
    let Protected { report, difference, privacy } =
        protect(report(), Some(compared()), &GroupFacts::default(), &minus(1)).unwrap();
    assert_eq!(report.users, 199);
    assert_eq!(report.rows.iter().map(|row| row.n).collect::<Vec<_>>(), [199, 11, 199]);
    assert_eq!(
        report.groups[0].groups.iter().map(|group| group.n).collect::<Vec<_>>(),
        [Some(109), Some(77), Some(11)]
    );
    assert_eq!(difference.unwrap().rows[0].n, 199);
    // The total, the count of the worst group's row, and one group of one table.
    assert_eq!(privacy.cells_per_user, Some(3));
    assert_eq!(report.notes, ["nothing is inferred"]);
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("200") && !json.contains("110"), "an exact count stands in {json}");
}

#[test]
fn noise_is_added_to_exact_counts_not_to_rounded_ones() {
    let mut rounded = report();
    rounded.groups[0].groups.iter_mut().for_each(|group| group.n = group.n.map(|n| n.div_ceil(10) * 10));
    let labels: Vec<String> = report().groups[0]
        .groups
        .iter()
        .flat_map(|group| std::iter::repeat_n(group.group.clone(), group.n.unwrap() as usize))
        .collect();
    let members = GroupMembers { attribute: "region".to_owned(), labels, ..GroupMembers::default() };
    let exact = [("worst-group/region".to_owned(), 12)].into();
    let mut difference = compared();
    let of = |group: &str| format!("group/region/{group}");
    let group = |name: String| DifferenceRow { name, n: 20, ..difference.rows[0].clone() };
    let more = [group(of("west")), group(of("(too few)"))];
    difference.rows.extend(more);
    let facts = GroupFacts { members: vec![members], exact };
    let found = protect(rounded, Some(difference), &facts, &minus(1)).unwrap();
    let counts: Vec<_> = found.report.groups[0].groups.iter().map(|group| group.n).collect();
    assert_eq!(counts, [Some(109), Some(77), Some(11)]);
    assert_eq!(found.report.rows[1].n, 11);
    let rows = found.difference.unwrap().rows;
    assert_eq!((rows[1].n, rows[1].difference), (11, Some(0.01)));
    assert_eq!((rows[2].n, rows[2].difference, rows[2].low), (0, None, None));
}

#[test]
fn a_group_below_the_threshold_takes_another_with_it_and_the_worst_row() {
    let Protected { report, privacy, .. } = protect(report(), None, &GroupFacts::default(), &minus(5)).unwrap();
    let shown: Vec<&str> =
        report.groups[0].groups.iter().filter(|group| !group.suppressed).map(|group| group.group.as_str()).collect();
    assert_eq!(shown, [NASTY], "the smallest is hidden, and the next, or the total would reveal it");
    assert_eq!(privacy.suppressed, 2);
    assert_eq!(report.groups[0].worst, None);
    assert!(report.groups[0].groups.iter().filter(|g| g.suppressed).all(|g| g.mean.is_none() && g.low.is_none()));
    let worst = report.rows.iter().find(|row| row.name == "worst-group/region").unwrap();
    assert_eq!((worst.value, worst.label.as_str()), (None, "worst group by region"));
    assert!(worst.undefined.is_some());
}

#[test]
fn the_page_escapes_what_a_shop_wrote_and_loads_nothing() {
    let points = [0.2, 0.3].map(|value| TrendPoint {
        id: "p000001".to_owned(),
        model: "v000001".to_owned(),
        created: Timestamp::default(),
        value: Some(value),
        low: Some(value - 0.1),
        high: Some(value + 0.1),
    });
    let trend = ReportTrend { kind: ReportKind::Fairness, row: "ndcg@10/repeat".to_owned(), points: points.to_vec() };
    let html = page(&document(), &Beside { trends: &[trend], public_key: "abcd" });
    assert!(!html.contains("<script"), "a script got through");
    assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;, &amp; "));
    for foreign in ["http://", "https://", "url(", "@import", "src="] {
        let allowed = html.matches("http://www.w3.org/2000/svg").count();
        let found = html.matches(foreign).count();
        assert!(found == 0 || (foreign == "http://" && found == allowed), "{foreign}");
    }
    assert_eq!(html.matches("<svg").count(), 3, "groups, exposure, trend");
    for word in ["prefers-color-scheme:dark", "@media print", "above noise", "not measurable", "p000007", "abcd"] {
        assert!(html.contains(word), "{word}");
    }
}

#[test]
fn csv_has_a_line_for_each_number() {
    let text = String::from_utf8(numbers::csv(&document())).unwrap();
    let lines: Vec<&str> = text.split("\r\n").filter(|line| !line.is_empty()).collect();
    // Rows, the table's gap, its groups, three numbers of the exposure and five of each seller, the difference.
    assert_eq!(lines.len(), 1 + 3 + 1 + 3 + 8 + 1);
    assert_eq!(lines[0].split(',').count(), numbers::COLUMNS.len());
    assert!(lines[1].starts_with("p000007,fairness,v000002,2023-11-14T"), "{}", lines[1]);
    assert!(text.contains("\"<script>alert(\"\"x\"\")</script>, & '=1+1'\""));
}

#[test]
fn parquet_has_a_row_for_each_number() {
    let bytes = numbers::parquet(&document()).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    assert_eq!(numbers::numbers(&document()).len(), 16);
}

#[test]
fn the_exposure_of_groups_of_items_is_in_every_table_format() {
    let mut document = document();
    document.report.items = vec![ItemTable {
        by: "price_band".to_owned(),
        exposure_model: "1/log2(1+rank)".to_owned(),
        other_model: "0.9^(rank-1)".to_owned(),
        groups: vec![ItemGroupRow {
            group: "1 up to 5".to_owned(),
            items: 40,
            relevant: Some(90),
            exposure_share: 0.25,
            relevance_share: 0.3,
            catalogue_share: 0.4,
            merit_ratio: Some(0.78),
            low: Some(0.7),
            high: Some(0.86),
            other_ratio: Some(0.8),
            verdict: Verdict::BelowMerit,
        }],
        not_compared: 2,
        worst: Some("1 up to 5".to_owned()),
        top: Some("2 up to 9".to_owned()),
        top_share: Some(0.5),
        hhi: Some(0.37),
    }];
    let items: Vec<_> = numbers::numbers(&document).into_iter().filter(|number| number.section == "items").collect();
    let of = |name: &str| items.iter().find(|number| number.name == name).unwrap();
    let ratio = of("merit-ratio");
    assert_eq!((ratio.value, ratio.low, ratio.high, ratio.n), (Some(0.78), Some(0.7), Some(0.86), Some(90.0)));
    assert_eq!((ratio.attribute.as_str(), ratio.group.as_str()), ("price_band", "1 up to 5"));
    assert_eq!(ratio.verdict, "below_merit");
    assert_eq!((of("exposure-share").value, of("relevance-share").value), (Some(0.25), Some(0.3)));
    assert_eq!((of("catalogue-share").value, of("catalogue-share").n), (Some(0.4), Some(40.0)));
    assert_eq!((of("merit-ratio-other-model").value, of("hhi").value), (Some(0.8), Some(0.37)));
    assert_eq!((of("top-share").group.as_str(), of("top-share").value), ("2 up to 9", Some(0.5)));
    let html = page(&document, &Beside { trends: &[], public_key: "abcd" });
    for text in ["Exposure by price band", "1 up to 5", "below merit", "0.7800", "0.7000 to 0.8600", "0.9^(rank-1)"] {
        assert!(html.contains(text), "{text}");
    }
    let text = String::from_utf8(numbers::csv(&document)).unwrap();
    assert!(text.contains(",items,merit-ratio,") && text.contains("price_band,1 up to 5,0.78,0.7,0.86,90"), "{text}");
}

#[test]
fn a_table_without_intervals_has_no_plot() {
    let mut table = report().groups.remove(0);
    table.groups.iter_mut().for_each(|group| (group.low, group.high) = (None, None));
    assert_eq!(plots::groups(&table), None);
}
