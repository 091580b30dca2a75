//! The numbers of a report as rows of one table, for CSV and Parquet: one row for each number.

use mercer_import::{Column, table_bytes};
use mercer_shared::wire::{DifferenceRow, ExportedReport, GroupTable, ItemGroupRow, ItemTable, ReportRow};
use serde::Serialize;

use crate::state::problems::{Answer, internal};

/// One number with everything that is needed to read it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Number {
    /// `row`, `group`, `table`, `items` or `difference`.
    pub(crate) section: &'static str,
    /// Name of the row or of the metric.
    pub(crate) name: String,
    /// For people.
    pub(crate) label: String,
    /// Attribute of a group.
    pub(crate) attribute: String,
    /// The group.
    pub(crate) group: String,
    /// Value.
    pub(crate) value: Option<f64>,
    /// Lower end of the interval.
    pub(crate) low: Option<f64>,
    /// Upper end.
    pub(crate) high: Option<f64>,
    /// Units that it rests on.
    pub(crate) n: Option<f64>,
    /// What it is compared with: popularity, the noise floor, the other version.
    pub(crate) baseline: Option<f64>,
    /// P of the comparison.
    pub(crate) p: Option<f64>,
    /// The word.
    pub(crate) verdict: String,
    /// Why there is no value.
    pub(crate) undefined: String,
    /// Formula and convention.
    pub(crate) formula: String,
}

/// Names of the columns, in the order of [`texts`] and [`values`] with the document's own columns before them.
pub(crate) const COLUMNS: [&str; 19] = [
    "report",
    "kind",
    "model",
    "created",
    "from",
    "to",
    "section",
    "name",
    "label",
    "attribute",
    "group",
    "value",
    "low",
    "high",
    "n",
    "baseline",
    "p",
    "verdict",
    "undefined",
];

/// The word of a wire enum.
pub(crate) fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// All numbers of a report, in its order.
pub(crate) fn numbers(document: &ExportedReport) -> Vec<Number> {
    let report = &document.report;
    let mut numbers: Vec<Number> = report.rows.iter().map(row).collect();
    numbers.extend(report.groups.iter().flat_map(table));
    numbers.extend(report.items.iter().flat_map(exposure));
    numbers.extend(document.difference.iter().flat_map(|difference| &difference.rows).map(difference));
    numbers
}

fn row(row: &ReportRow) -> Number {
    Number {
        section: "row",
        name: row.name.clone(),
        label: row.label.clone(),
        value: row.value,
        low: row.low,
        high: row.high,
        n: Some(row.n as f64),
        baseline: row.baseline,
        verdict: row.verdict.as_ref().map(word).unwrap_or_default(),
        undefined: row.undefined.clone().unwrap_or_default(),
        formula: row.formula.clone(),
        ..Number::default()
    }
}

fn table(table: &GroupTable) -> Vec<Number> {
    let mut numbers = vec![Number {
        section: "table",
        name: format!("gap {}", table.metric),
        label: format!("gap between groups by {}", table.attribute),
        attribute: table.attribute.clone(),
        value: table.gap,
        baseline: table.noise_floor,
        p: table.p_holm.or(table.p),
        verdict: word(&table.verdict),
        ..Number::default()
    }];
    numbers.extend(table.groups.iter().map(|group| Number {
        section: "group",
        name: table.metric.clone(),
        label: table.metric.clone(),
        attribute: table.attribute.clone(),
        group: group.group.clone(),
        value: group.mean,
        low: group.low,
        high: group.high,
        n: group.n.filter(|_| !group.suppressed).map(|n| n as f64),
        undefined: if group.suppressed { "suppressed".to_owned() } else { String::new() },
        ..Number::default()
    }));
    numbers
}

/// The numbers of a table of exposure: five for each group of items, three for all of them.
fn exposure(table: &ItemTable) -> Vec<Number> {
    let number = |name: &str, label: String, group: &str, value: Option<f64>| Number {
        section: "items",
        name: name.to_owned(),
        label,
        attribute: table.by.clone(),
        group: group.to_owned(),
        value,
        ..Number::default()
    };
    let mut numbers = vec![
        number("hhi", "concentration of exposure (sum of squared shares)".to_owned(), "", table.hhi),
        number(
            "top-share",
            "largest share of exposure".to_owned(),
            table.top.as_deref().unwrap_or_default(),
            table.top_share,
        ),
        number("not-compared", "groups not compared".to_owned(), "", Some(table.not_compared as f64)),
    ];
    let of_group = |group: &ItemGroupRow| {
        let number = |name: &str, label: &str, value| number(name, label.to_owned(), &group.group, value);
        let shares = [
            ("exposure-share", "share of exposure", group.exposure_share),
            ("relevance-share", "share of relevance", group.relevance_share),
            ("catalogue-share", "share of eligible items", group.catalogue_share),
        ];
        let ratio = Number {
            low: group.low,
            high: group.high,
            n: group.relevant.map(|n| n as f64),
            baseline: Some(1.0),
            verdict: word(&group.verdict),
            undefined: if group.merit_ratio.is_none() { "no ratio".to_owned() } else { String::new() },
            ..number(
                "merit-ratio",
                &format!("exposure per relevance over that of all others, {}", table.exposure_model),
                group.merit_ratio,
            )
        };
        let other = format!("the same under the other exposure model, {}", table.other_model);
        let mut numbers = vec![ratio, number("merit-ratio-other-model", &other, group.other_ratio)];
        numbers.extend(shares.map(|(name, label, share)| Number {
            n: Some(group.items as f64).filter(|_| name == "catalogue-share"),
            ..number(name, label, Some(share))
        }));
        numbers
    };
    numbers.extend(table.groups.iter().flat_map(of_group));
    numbers
}

fn difference(row: &DifferenceRow) -> Number {
    Number {
        section: "difference",
        name: row.name.clone(),
        label: row.label.clone(),
        value: row.difference,
        low: row.low,
        high: row.high,
        n: Some(row.n as f64),
        baseline: row.against,
        p: row.p,
        verdict: word(&row.verdict),
        undefined: row.undefined.clone().unwrap_or_default(),
        ..Number::default()
    }
}

/// The columns of the document itself, the same in each row.
fn heading(document: &ExportedReport) -> [String; 6] {
    let report = &document.report;
    let moment = |at: Option<mercer_shared::time::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        document.id.clone(),
        report.kind.as_str().to_owned(),
        report.model.clone(),
        report.created.to_string(),
        moment(report.from),
        moment(report.to),
    ]
}

/// The table as CSV (RFC 4180, UTF-8, lines end with CR LF).
pub(crate) fn csv(document: &ExportedReport) -> Vec<u8> {
    let mut out = String::new();
    line(&mut out, COLUMNS.iter().map(|name| (*name).to_owned()));
    for number in numbers(document) {
        let value = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let Number { section, name, label, attribute, group, verdict, undefined, .. } = number;
        let words = heading(document).into_iter().chain([section.to_owned(), name, label, attribute, group]).map(text);
        let values = [number.value, number.low, number.high, number.n, number.baseline, number.p].map(value);
        line(&mut out, words.chain(values).chain([verdict, undefined].map(text)));
    }
    out.into_bytes()
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

/// A cell of text. What a spreadsheet would take for a formula gets an apostrophe: names of groups are what shoppers and shops wrote.
fn text(cell: String) -> String {
    let guarded = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell };
    if guarded.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

/// The table as Parquet; missing numbers are null.
///
/// # Errors
/// `internal` where it cannot be written.
pub(crate) fn parquet(document: &ExportedReport) -> Answer<Vec<u8>> {
    let numbers = numbers(document);
    let [report, kind, model, created, from, to] = heading(document).map(|cell| vec![cell; numbers.len()]);
    let words = |of: fn(&Number) -> String| Column::Text(numbers.iter().map(of).collect());
    let values = |of: fn(&Number) -> Option<f64>| Column::Optional(numbers.iter().map(of).collect());
    let columns = [
        Column::Text(report),
        Column::Text(kind),
        Column::Text(model),
        Column::Text(created),
        Column::Text(from),
        Column::Text(to),
        words(|n| n.section.to_owned()),
        words(|n| n.name.clone()),
        words(|n| n.label.clone()),
        words(|n| n.attribute.clone()),
        words(|n| n.group.clone()),
        values(|n| n.value),
        values(|n| n.low),
        values(|n| n.high),
        values(|n| n.n),
        values(|n| n.baseline),
        values(|n| n.p),
        words(|n| n.verdict.clone()),
        words(|n| n.undefined.clone()),
    ];
    let named: Vec<(&str, Column)> = COLUMNS.into_iter().zip(columns).collect();
    table_bytes(&named).map_err(|error| internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive_commas_quotes_lines_and_formulas() {
        assert_eq!(text("plain".to_owned()), "plain");
        assert_eq!(text("a, \"b\"\nc".to_owned()), "\"a, \"\"b\"\"\nc\"");
        assert_eq!(text("=HYPERLINK(\"x\")".to_owned()), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(text("-1".to_owned()), "'-1");
    }
}
