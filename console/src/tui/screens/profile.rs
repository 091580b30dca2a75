//! A shopper's profile as lines: lifecycle, interests with the events behind them, and recent events.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, Interest, LifecycleStage, Profile};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::bars;
use crate::tui::widgets::draw::{field, heading, lines, span};
use crate::tui::widgets::split::split_with_rule;

/// Columns of the labels.
const LABEL: usize = 11;
/// Columns of the ages of events.
const AGE: usize = 16;
/// Columns of the kinds of events.
const KIND: usize = 14;
/// Columns of the names of interests.
const NAME: usize = 24;
/// Columns of the bars of interests.
const BAR: usize = 12;
/// Interests shown of each kind.
const MOST: usize = 8;
/// Columns from which on interests and events stand side by side.
const TWO_PANES: usize = 110;

/// A shopper's consent, in words.
pub(crate) fn consent(consent: &Consent) -> String {
    let scopes = [
        (consent.personalise, "lists"),
        (consent.train, "training"),
        (consent.audit_attributes, "audit"),
        (consent.explanations, "reasons"),
    ];
    let given: Vec<_> = scopes.iter().filter(|(given, _)| *given).map(|(_, word)| *word).collect();
    match given.len() {
        0 => "nothing".to_owned(),
        4 => "all".to_owned(),
        _ => given.join(", "),
    }
}

/// Draws it.
pub(crate) fn view(profile: &Profile, now: Timestamp, scroll: usize, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    if columns >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, area.width / 2);
        let mut all = summary(profile, now);
        all.extend(interests(profile, now, usize::from(left.width)));
        scrolled(&all, scroll, left, buf);
        scrolled(&history(profile, now, usize::from(right.width)), scroll, right, buf);
    } else {
        scrolled(&rows(profile, now, columns), scroll, area, buf);
    }
}

fn scrolled(all: &[Line<'_>], scroll: usize, area: Rect, buf: &mut Buffer) {
    let first = scroll.min(all.len().saturating_sub(usize::from(area.height)));
    lines(buf, area, &all[first..]);
}

/// Everything in one column.
pub(crate) fn rows<'a>(profile: &Profile, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let mut all = summary(profile, now);
    all.extend(interests(profile, now, columns));
    all.extend(history(profile, now, columns));
    all
}

fn summary<'a>(profile: &Profile, now: Timestamp) -> Vec<Line<'a>> {
    let life = &profile.lifecycle;
    let style = match life.stage {
        LifecycleStage::Active | LifecycleStage::New => theme::GOOD,
        LifecycleStage::Lapsing => theme::WARN,
        LifecycleStage::Prospect | LifecycleStage::Lapsed => theme::QUIET,
    };
    let mut first = vec![span(text::word(&life.stage), style.patch(theme::STRONG))];
    first.push(span(format!("   {}", text::plural(life.baskets, "basket", "baskets")), theme::PLAIN));
    if let Some(frequency) = life.frequency {
        first.push(span(format!(", {frequency:.1} a month"), theme::PLAIN));
    }
    if let Some(days) = life.recency_days {
        first.push(span(format!(", the last {days:.0} days ago"), theme::PLAIN));
    }
    let mut all = vec![field("Lifecycle", LABEL, first)];
    if let Some(monetary) = life.monetary {
        all.push(field(
            "Spent",
            LABEL,
            vec![span(text::money(monetary), theme::STRONG), span("  at today's prices, less returns", theme::QUIET)],
        ));
    }
    let counts: Vec<String> =
        life.counts.iter().map(|(kind, n)| format!("{} {}", text::count(*n), text::clean(kind))).collect();
    if !counts.is_empty() {
        all.push(field("Events", LABEL, vec![span(counts.join(", "), theme::PLAIN)]));
    }
    if let (Some(first), Some(last)) = (life.first, life.last) {
        all.push(field(
            "Seen",
            LABEL,
            vec![
                span(format!("{} to {}", text::date(first), text::date(last)), theme::PLAIN),
                span(format!("  last {}", text::ago(last, now)), theme::QUIET),
            ],
        ));
    }
    if !profile.attributes.is_empty() {
        let declared: Vec<String> = profile.attributes.iter().map(|(k, v)| format!("{k} {v}")).collect();
        all.push(field("Declared", LABEL, vec![span(text::clean(&declared.join(", ")), theme::PLAIN)]));
    }
    all.push(field("Consent", LABEL, vec![span(consent(&profile.consent), theme::PLAIN)]));
    all.push(Line::default());
    all
}

fn interests<'a>(profile: &Profile, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let mut all = Vec::new();
    for (title, list) in [
        ("Categories", &profile.categories),
        ("Brands", &profile.brands),
        ("Prices", &profile.price_bands),
        ("Items", &profile.items),
    ] {
        if list.is_empty() {
            continue;
        }
        let more = if list.len() > MOST { format!("the strongest {MOST} of {}", list.len()) } else { String::new() };
        all.push(heading(title, more));
        all.extend(list.iter().take(MOST).map(|interest| interest_line(interest, now, columns)));
        all.push(Line::default());
    }
    if all.is_empty() {
        all.push(Line::styled("No interests yet: they come with the first events", theme::QUIET));
        all.push(Line::default());
    }
    all
}

/// Name, bar, share, and what it was derived from.
fn interest_line<'a>(interest: &Interest, now: Timestamp, columns: usize) -> Line<'a> {
    let from: Vec<String> = interest
        .from
        .iter()
        .map(|event| {
            let item = event.item.as_ref().map(|item| format!(" {}", text::clean(item.as_str()))).unwrap_or_default();
            format!("{}{item} {}", event.kind.as_str(), text::ago(event.at, now))
        })
        .collect();
    let name = NAME.min(columns / 3);
    let room = columns.saturating_sub(name + 1 + BAR + 9);
    let from = format!("{}: {}", text::plural(interest.events, "event", "events"), from.join(", "));
    Line::from(vec![
        span(text::pad(&text::clean(&interest.name), name), theme::PLAIN),
        span(" ", theme::PLAIN),
        bars::weight(interest.weight, BAR),
        span(" ".repeat(BAR - text::width(&bars::weight(interest.weight, BAR).content)), theme::PLAIN),
        span(text::pad_left(&text::percent(interest.weight), 8), theme::STRONG),
        span(text::cut(&format!("  {from}"), room), theme::QUIET),
    ])
}

fn history<'a>(profile: &Profile, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let mut all = Vec::new();
    if !profile.recent_queries.is_empty() {
        all.push(heading("Queries", ""));
        for query in &profile.recent_queries {
            all.push(Line::from(vec![
                span(text::pad(&text::ago(query.at, now), AGE), theme::QUIET),
                span(text::cut(&text::clean(&query.text), columns.saturating_sub(AGE)), theme::PLAIN),
            ]));
        }
        all.push(Line::default());
    }
    all.push(heading("Latest events", ""));
    if profile.recent_events.is_empty() {
        all.push(Line::styled("none", theme::QUIET));
    }
    for event in &profile.recent_events {
        let what = event
            .title
            .clone()
            .or_else(|| event.item.as_ref().map(ToString::to_string))
            .or_else(|| event.query.clone())
            .unwrap_or_default();
        let value = event.value.map(|value| format!(" ×{value}")).unwrap_or_default();
        all.push(Line::from(vec![
            span(text::pad(&text::ago(event.at, now), AGE), theme::QUIET),
            span(text::pad(&format!("{}{value}", event.kind.as_str()), KIND), theme::PLAIN),
            span(text::cut(&text::clean(&what), columns.saturating_sub(AGE + KIND)), theme::PLAIN),
        ]));
    }
    all.push(Line::default());
    if !profile.nearest.is_empty() {
        all.push(heading("Nearest shoppers", "by behaviour; o opens one by id"));
        for other in &profile.nearest {
            all.push(Line::from(vec![
                span(text::pad(&text::clean(other.user.as_str()), 20), theme::PLAIN),
                span(" ", theme::PLAIN),
                bars::weight(other.similarity, BAR),
                span(" ".repeat(BAR - text::width(&bars::weight(other.similarity, BAR).content)), theme::PLAIN),
                span(format!(" {:.3}", other.similarity), theme::QUIET),
            ]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_in_words() {
        assert_eq!(consent(&Consent::default()), "all");
        assert_eq!(consent(&Consent { personalise: false, ..Consent::default() }), "training, audit, reasons");
        assert_eq!(consent(&Consent::NONE), "nothing");
    }
}
