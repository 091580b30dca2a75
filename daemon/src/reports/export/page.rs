//! An exported report as one HTML page: no script, no external part, everything escaped that a shop or a shopper wrote.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    DifferenceWord, ExportPrivacy, ExportedReport, GroupTable, ItemTable, Report, ReportDifference, ReportKind,
    ReportTrend, Verdict,
};

use crate::reports::export::{numbers, plots};

/// The page's style, for screens of both kinds and for paper.
const STYLE: &str = include_str!("page.css");
/// A page that loads nothing, also where something slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What the page shows beside the report.
pub(crate) struct Beside<'a> {
    /// Rows over the stored reports.
    pub(crate) trends: &'a [ReportTrend],
    /// Public key that the file beside the page is signed with.
    pub(crate) public_key: &'a str,
}

/// The whole page.
pub(crate) fn page(document: &ExportedReport, beside: &Beside<'_>) -> String {
    let report = &document.report;
    let title = format!("{} of {}", name(report.kind.as_str()), report.model);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="generator" content={ "Mercer " (document.code_version) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (origin(document, beside.public_key))
                (privacy(&document.privacy))
                (rows(report))
                @for table in &report.groups { (groups(table)) }
                @for table in &report.items { (items(table)) }
                @for curve in &report.curves {
                    @if let Some(plot) = plots::exposure(&curve.points) {
                        h2 { (name(&curve.name)) }
                        (figure(&plot, &curve.label))
                    }
                }
                @if let Some(difference) = &document.difference { (differences(&report.model, difference)) }
                (trends(beside.trends))
                (notes(report))
                (formulas(report))
            }
        }
    };
    markup.into_string()
}

/// A word at the beginning of a heading.
fn name(word: &str) -> String {
    word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect()
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| format!("{at}"))
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn interval(low: Option<f64>, high: Option<f64>) -> String {
    low.zip(high).map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.4} to {high:.4}"))
}

fn verdict(verdict: Verdict) -> String {
    numbers::word(&verdict).replace('_', " ")
}

const fn difference_word(word: DifferenceWord) -> &'static str {
    match word {
        DifferenceWord::Higher => "higher",
        DifferenceWord::Lower => "lower",
        DifferenceWord::Same => "the same for every user",
        DifferenceWord::NotMeasurable => "not measurable",
        DifferenceWord::NoInterval => "no interval",
    }
}

fn origin(document: &ExportedReport, public_key: &str) -> Markup {
    let report = &document.report;
    html! {
        dl {
            dt { "Report" } dd { code { (document.id) } }
            dt { "Computed" } dd { (report.created) }
            dt { "Window" } dd { (moment(report.from)) " to " (moment(report.to)) " (UTC)" }
            dt { "Users" } dd { (report.users) }
            dt { "Data (BLAKE3)" } dd { code { (document.hashes.data) } }
            dt { "Version (BLAKE3)" } dd { code { (document.hashes.version) } }
            dt { "Public key" } dd { code { (public_key) } }
            dt { "Program" } dd { "Mercer " (document.code_version) }
        }
        p class="soft" { "Signed in the file of the same name that ends with .sig; " code { "mercer report verify FILE" } " checks it." }
    }
}

fn privacy(privacy: &ExportPrivacy) -> Markup {
    html! {
        div class="privacy" {
            @if privacy.exact {
                p class="word" { "Exact numbers, not for publication" }
            } @else {
                p class="word" {
                    "Counts are noised: epsilon " (value(privacy.epsilon)) ", unit: " (privacy.unit.as_deref().unwrap_or("-"))
                }
                p {
                    (privacy.mechanism.as_deref().unwrap_or("-")) ", scale " (value(privacy.scale)) "; a user is part of at most "
                    (privacy.cells_per_user.unwrap_or(0)) " counts; groups below " (privacy.threshold.unwrap_or(0))
                    " after noise are left out (" (privacy.suppressed) " here). Spent today: " (value(privacy.spent_today)) " of "
                    (value(privacy.daily_budget)) "."
                }
            }
            ul { @for note in &privacy.notes { li { (note) } } }
        }
    }
}

fn figure(plot: &str, caption: &str) -> Markup {
    // The plot escapes its own texts.
    html! { figure role="img" aria-label=(caption) { (PreEscaped(plot)) figcaption { (caption) } } }
}

fn rows(report: &Report) -> Markup {
    let compared = if report.kind == ReportKind::Fairness { "Noise floor" } else { "Popularity" };
    html! {
        h2 { "Numbers" }
        @if report.rows.is_empty() { p { "No number could be computed; the notes say why." } } @else {
            div class="scroll" {
                table {
                    thead { tr {
                        th { "Name" } th { "What" } th class="number" { "Value" } th class="number" { "95 % interval" }
                        th class="number" { "n" } th class="number" { (compared) } th { "Verdict" }
                    } }
                    tbody { @for row in &report.rows { tr {
                        td { code { (row.name) } }
                        td { (row.label) }
                        td class="number" { @if row.undefined.is_some() { "undefined" } @else { (value(row.value)) } }
                        td class="number" { (interval(row.low, row.high)) }
                        td class="number" { (row.n) }
                        td class="number" { (value(row.baseline)) }
                        td {
                            @if let Some(word) = row.verdict { span class="word" { (verdict(word)) } " " }
                            @if let Some(why) = &row.undefined { "undefined: " (why) }
                        }
                    } } }
                }
            }
        }
    }
}

fn groups(table: &GroupTable) -> Markup {
    html! {
        h2 { (table.metric) " by " (table.attribute) ": " (verdict(table.verdict)) }
        p {
            "Gap " (value(table.gap)) ", noise floor " (value(table.noise_floor)) ", p " (value(table.p)) ", after Holm "
            (value(table.p_holm)) ", served worst: " (table.worst.as_deref().unwrap_or("-")) "."
        }
        @if let Some(plot) = plots::groups(table) {
            (figure(&plot, "Intervals of the groups. The band is as wide as the gap that chance makes between groups of these sizes."))
        }
        div class="scroll" {
            table {
                thead { tr {
                    th { "Group" } th class="number" { "n" } th class="number" { "Share" } th class="number" { "Mean" }
                    th class="number" { "95 % interval" }
                } }
                tbody { @for group in &table.groups { tr {
                    td { (group.group) }
                    @if group.suppressed {
                        td class="number" colspan="4" { "suppressed" }
                    } @else {
                        td class="number" { (group.n.unwrap_or(0)) }
                        td class="number" { (share(group.share.unwrap_or(0.0))) }
                        td class="number" { (value(group.mean)) }
                        td class="number" { (interval(group.low, group.high)) }
                    }
                } } }
            }
        }
    }
}

fn share(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

fn items(table: &ItemTable) -> Markup {
    html! {
        h2 { "Exposure by " (table.by.replace('_', " ")) }
        p {
            "Largest: " (table.top.as_deref().unwrap_or("-")) " with " (table.top_share.map_or_else(|| "-".to_owned(), share))
            ", concentration (HHI) " (value(table.hhi)) ", lowest merit ratio: " (table.worst.as_deref().unwrap_or("-"))
            ". Groups not compared: " (table.not_compared) "."
        }
        p class="soft" {
            "Merit ratio: exposure per relevance over that of all other groups; 1 is parity. Exposure model " (table.exposure_model)
            ", checked under " (table.other_model) "."
        }
        div class="scroll" {
            table {
                thead { tr {
                    th { "Group" } th class="number" { "Items" } th class="number" { "Bought" } th class="number" { "Of items" }
                    th class="number" { "Of relevance" } th class="number" { "Of exposure" } th class="number" { "Merit ratio" }
                    th class="number" { "Interval" } th class="number" { "Other model" } th { "Verdict" }
                } }
                tbody { @for group in &table.groups { tr {
                    td { (group.group) }
                    td class="number" { (group.items) }
                    td class="number" { (group.relevant.map_or_else(|| "-".to_owned(), |n| n.to_string())) }
                    td class="number" { (share(group.catalogue_share)) }
                    td class="number" { (share(group.relevance_share)) }
                    td class="number" { (share(group.exposure_share)) }
                    td class="number" { (value(group.merit_ratio)) }
                    td class="number" { (interval(group.low, group.high)) }
                    td class="number" { (value(group.other_ratio)) }
                    td { span class="word" { (verdict(group.verdict)) } }
                } } }
            }
        }
    }
}

fn differences(model: &str, difference: &ReportDifference) -> Markup {
    html! {
        h2 { (model) " less " (difference.against) }
        p class="soft" { "Same window, same users. Intervals by Poisson bootstrap over users of the paired differences." }
        div class="scroll" {
            table {
                thead { tr {
                    th { "Name" } th class="number" { (model) } th class="number" { (difference.against) } th class="number" { "Difference" }
                    th class="number" { "95 % interval" } th class="number" { "Smallest detectable" } th class="number" { "n" } th { "Verdict" }
                } }
                tbody { @for row in &difference.rows { tr {
                    td { code { (row.name) } }
                    td class="number" { (value(row.value)) }
                    td class="number" { (value(row.against)) }
                    td class="number" { (value(row.difference)) }
                    td class="number" { (interval(row.low, row.high)) }
                    td class="number" { (value(row.minimum_detectable)) }
                    td class="number" { (row.n) }
                    td { span class="word" { (difference_word(row.verdict)) } @if let Some(why) = &row.undefined { ": " (why) } }
                } } }
            }
        }
        @for note in &difference.notes { p class="soft" { (difference.against) ": " (note) } }
    }
}

fn trends(trends: &[ReportTrend]) -> Markup {
    let drawn: Vec<_> = trends.iter().filter_map(|trend| Some((&trend.row, plots::trend(trend)?))).collect();
    html! {
        @if !drawn.is_empty() {
            h2 { "Over time" }
            p class="soft" { "Stored reports of this kind, of any version and window: a comparison of two versions needs one window." }
            @for (row, plot) in &drawn { (figure(plot, row)) }
        }
    }
}

fn notes(report: &Report) -> Markup {
    html! {
        @if !report.notes.is_empty() {
            h2 { "Notes" }
            ul { @for note in &report.notes { li { (note) } } }
        }
    }
}

fn formulas(report: &Report) -> Markup {
    html! {
        h2 { "Formulas and conventions" }
        dl { @for row in &report.rows { dt { code { (row.name) } } dd { (row.formula) } } }
    }
}
