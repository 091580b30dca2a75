//! A shopper's profile as lines: lifecycle first, then interests with the events they rest on, then what happened.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, Interest, LifecycleStage, Profile};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::widgets::{bars, field, heading, lines, span, split_with_rule};
use super::super::{texts, theme};

/// Columns of the names of interests.
const NAME: usize = 24;
/// Columns of the bars of interests.
const BAR: usize = 12;
/// Interests shown of each kind.
const MOST: usize = 8;
/// Columns from which on interests and events stand side by side.
const TWO_PANES: usize = 110;

/// What a shopper agreed to, in words.
pub(crate) fn consent(consent: &Consent) -> String {
    let scopes = [(consent.personalise, "lists"), (consent.train, "training"), (consent.audit_attributes, "audit")];
    let given: Vec<_> = scopes.iter().filter(|(given, _)| *given).map(|(_, word)| *word).collect();
    match given.len() {
        0 => "nothing".to_owned(),
        3 => "all".to_owned(),
        _ => given.join(", "),
    }
}

/// Draws it.
pub(crate) fn view(profile: &Profile, now: Timestamp, scroll: usize, columns: usize, area: Rect, buf: &mut Buffer) {
    if columns >= TWO_PANES {
        let (left, right) = split_with_rule(buf, area, area.width / 2);
        let left = Rect { width: left.width.saturating_sub(1), ..left };
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
    let mut first = vec![span(texts::word(&life.stage), style.patch(theme::STRONG))];
    first.push(span(format!("   {}", texts::plural(life.baskets, "basket", "baskets")), theme::PLAIN));
    if let Some(frequency) = life.frequency {
        first.push(span(format!(", {frequency:.1} a month"), theme::PLAIN));
    }
    if let Some(days) = life.recency_days {
        first.push(span(format!(", the last {days:.0} days ago"), theme::PLAIN));
    }
    let mut all = vec![field("Lifecycle", 11, first)];
    if let Some(monetary) = life.monetary {
        all.push(field(
            "Spent",
            11,
            vec![span(money(monetary), theme::STRONG), span("  at today's prices, less returns", theme::QUIET)],
        ));
    }
    let counts: Vec<String> =
        life.counts.iter().map(|(kind, n)| format!("{} {}", texts::count(*n), texts::clean(kind))).collect();
    if !counts.is_empty() {
        all.push(field("Events", 11, vec![span(counts.join(", "), theme::PLAIN)]));
    }
    if let (Some(first), Some(last)) = (life.first, life.last) {
        all.push(field(
            "Seen",
            11,
            vec![
                span(format!("{} to {}", texts::date(first), texts::date(last)), theme::PLAIN),
                span(format!("  last {}", texts::ago(last, now)), theme::QUIET),
            ],
        ));
    }
    if !profile.attributes.is_empty() {
        let declared: Vec<String> = profile.attributes.iter().map(|(k, v)| format!("{k} {v}")).collect();
        all.push(field("Declared", 11, vec![span(texts::clean(&declared.join(", ")), theme::PLAIN)]));
    }
    all.push(field("Consent", 11, vec![span(consent(&profile.consent), theme::PLAIN)]));
    all.push(Line::default());
    all
}

/// An amount in the shop's currency, which a profile does not name.
pub(crate) fn money(amount: f64) -> String {
    if !amount.is_finite() {
        return "–".to_owned();
    }
    let cents = (amount.abs() * 100.0).round();
    // Saturates; amounts stay far below 2^53.
    let whole = texts::count((cents / 100.0).floor() as u64);
    format!("{}{whole}.{:02}", if amount < 0.0 { "-" } else { "" }, (cents % 100.0) as u64)
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
            let item = event.item.as_ref().map(|item| format!(" {}", texts::clean(item.as_str()))).unwrap_or_default();
            format!("{}{item} {}", event.kind.as_str(), texts::ago(event.at, now))
        })
        .collect();
    let name = NAME.min(columns / 3);
    let room = columns.saturating_sub(name + 1 + BAR + 9);
    let from = format!("{}: {}", texts::plural(interest.events, "event", "events"), from.join(", "));
    Line::from(vec![
        span(texts::pad(&texts::clean(&interest.name), name), theme::PLAIN),
        span(" ", theme::PLAIN),
        bars::weight(interest.weight, BAR),
        span(" ".repeat(BAR - texts::width(&bars::weight(interest.weight, BAR).content)), theme::PLAIN),
        span(texts::pad_left(&texts::percent(interest.weight), 8), theme::STRONG),
        span(texts::cut(&format!("  {from}"), room), theme::QUIET),
    ])
}

fn history<'a>(profile: &Profile, now: Timestamp, columns: usize) -> Vec<Line<'a>> {
    let mut all = Vec::new();
    if !profile.recent_queries.is_empty() {
        all.push(heading("Queries", ""));
        for query in &profile.recent_queries {
            all.push(Line::from(vec![
                span(texts::pad(&texts::ago(query.at, now), 16), theme::QUIET),
                span(texts::cut(&texts::clean(&query.text), columns.saturating_sub(16)), theme::PLAIN),
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
            span(texts::pad(&texts::ago(event.at, now), 16), theme::QUIET),
            span(texts::pad(&format!("{}{value}", event.kind.as_str()), 14), theme::PLAIN),
            span(texts::cut(&texts::clean(&what), columns.saturating_sub(30)), theme::PLAIN),
        ]));
    }
    all.push(Line::default());
    if !profile.nearest.is_empty() {
        all.push(heading("Nearest shoppers", "by behaviour; o opens one by id"));
        for other in &profile.nearest {
            all.push(Line::from(vec![
                span(texts::pad(&texts::clean(other.user.as_str()), 20), theme::PLAIN),
                span(" ", theme::PLAIN),
                bars::weight(other.similarity, BAR),
                span(" ".repeat(BAR - texts::width(&bars::weight(other.similarity, BAR).content)), theme::PLAIN),
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
    fn amounts() {
        assert_eq!(money(1234.5), "1,234.50");
        assert_eq!(money(-0.5), "-0.50");
        assert_eq!(money(2.999), "3.00");
        assert_eq!(money(f64::NAN), "–");
    }

    #[test]
    fn consent_in_words() {
        assert_eq!(consent(&Consent::default()), "all");
        assert_eq!(consent(&Consent { personalise: false, train: true, audit_attributes: true }), "training, audit");
        assert_eq!(consent(&Consent { personalise: false, train: false, audit_attributes: false }), "nothing");
    }
}
