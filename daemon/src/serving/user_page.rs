//! The export of a user as one self-contained page.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html as markup};
use mercer_shared::wire::{ConsentBasis, ConsentReport, Interaction, Interest, UserExport};

const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{border:1px solid #bbb;padding:.25rem .6rem;text-align:left;\
vertical-align:top}th{background:#f2f2f2}h2{margin-top:2rem}.portable{color:#06632f}.inferred{color:#7a3b00}";

/// The page.
#[must_use]
pub fn html(export: &UserExport) -> String {
    let title = format!("Data of {}", export.user);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (STYLE) }
            }
            body {
                h1 { (title) }
                p { "Made on " (export.at) ". Parts that are marked " span.portable { "portable" } " were provided or observed and may be \
                    taken elsewhere; " span.inferred { "inferred" } " parts were derived from them here." }
                h2 { "What was declared " span.portable { "(portable)" } }
                (pairs(&export.portable.attributes))
                h2 { "Consent " span.portable { "(portable)" } }
                (consent(&export.consent))
                h2 { "Interactions " span.portable { "(portable)" } }
                (interactions(&export.portable.interactions))
                h2 { "Segments " span.inferred { "(inferred)" } }
                (pairs(&export.inferred.segments))
                h2 { "Interests " span.inferred { "(inferred)" } }
                (interests("Categories", &export.inferred.profile.categories))
                (interests("Brands", &export.inferred.profile.brands))
                (interests("Price bands", &export.inferred.profile.price_bands))
                (interests("Items", &export.inferred.profile.items))
                p { "Events that shape nothing, because they concern sensitive categories or an interest that was removed: "
                    (export.inferred.profile.withheld) "." }
                h2 { "Removed interests" }
                ul { @for interest in &export.inferred.forgotten_interests {
                    li { (interest.kind.name()) " " (interest.value) ", removed " (interest.at) }
                } }
                h2 { "Lists served" }
                p { (export.lists_served.detail) }
                ul { @for id in &export.lists_served.query_ids { li { (id) } } }
                h2 { "Models" }
                table {
                    tr { th { "version" } th { "made" } th { "who was left out" } }
                    @for known in &export.versions {
                        tr { td { (known.version) } td { (known.created.map(|at| at.to_string()).unwrap_or_default()) } td { (known.consent_rule) } }
                    }
                }
                h2 { "Who did what with this data" }
                table {
                    tr { th { "when" } th { "action" } th { "detail" } }
                    @for entry in &export.audit { tr { td { (entry.at) } td { (entry.action) } td { (entry.detail) } } }
                }
                h2 { "Notes" }
                ul { @for note in &export.notes { li { (note) } } }
            }
        }
    };
    page.into_string()
}

fn pairs(all: &BTreeMap<String, String>) -> Markup {
    markup! {
        @if all.is_empty() { p { "nothing" } } @else {
            table { @for (name, value) in all { tr { th { (name) } td { (value) } } } }
        }
    }
}

fn consent(report: &ConsentReport) -> Markup {
    let on_off = |agreed: bool| if agreed { "on" } else { "off" };
    markup! {
        table {
            tr { th { "scope" } th { "is" } th { "basis" } th { "source" } th { "since" } }
            @for record in &report.scopes {
                tr {
                    td { (record.scope) }
                    td { (on_off(record.agreed)) }
                    td { (if record.basis == ConsentBasis::Explicit { "said so" } else { "by default" }) }
                    td { (record.source) }
                    td { (record.at.map(|at| at.to_string()).unwrap_or_default()) }
                }
            }
        }
        @if !report.ledger.is_empty() {
            table {
                tr { th { "when" } th { "scope" } th { "from" } th { "to" } th { "source" } }
                @for change in &report.ledger {
                    tr {
                        td { (change.at) }
                        td { (change.scope) }
                        td { (change.from.map(on_off).unwrap_or_default()) }
                        td { (on_off(change.to)) }
                        td { (change.source) }
                    }
                }
            }
        }
    }
}

fn interactions(all: &[Interaction]) -> Markup {
    let item = |line: &Interaction| line.item.as_ref().map(ToString::to_string).unwrap_or_default();
    let words = |line: &Interaction| line.query.clone().or_else(|| line.text.clone()).unwrap_or_default();
    markup! {
        table {
            tr { th { "when" } th { "what" } th { "item" } th { "value" } th { "words" } }
            @for line in all {
                tr {
                    td { (line.at) }
                    td { (line.kind.as_str()) }
                    td { (item(line)) }
                    td { (line.value.map(|value| value.to_string()).unwrap_or_default()) }
                    td { (words(line)) }
                }
            }
        }
    }
}

fn interests(title: &str, all: &[Interest]) -> Markup {
    markup! {
        @if !all.is_empty() {
            h3 { (title) }
            table {
                tr { th { "interest" } th { "share" } th { "events" } }
                @for interest in all {
                    tr { td { (interest.name) } td { (format!("{:.1} %", 100.0 * interest.weight)) } td { (interest.events) } }
                }
            }
        }
    }
}
