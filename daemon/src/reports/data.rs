//! The data report: bias in the log that models learn from. Who and what is over-represented, which groups are missing, which labels
//! shift, bots and bursts, what a showing causes, and how much of a click is the position.
//!
//! It reads users who agreed to training, for only they are learned from, and tells totals and shares, never one user or item.

use mercer_rank::Log;
use mercer_reports::bursts::{FLAG, item_burst, user_paces};
use mercer_reports::concentration::{AttributeCoverage, Concentration, Figure, TOP};
use mercer_reports::concentration::{attribute_coverage, concentration, label_skew};
use mercer_reports::exposure_ratio::BootstrapOptions;
use mercer_reports::feedback_loop::showing_lift;
use mercer_reports::position_bias::{POSITION_CLICKS, position_bias};
use mercer_reports::proportions::wilson;
use mercer_reports::{Interval, Undefined, Value};
use mercer_shared::interaction::InteractionType;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Report, ReportRow, Verdict};

use crate::reports::data_log::{self, HORIZON_DAYS, LoggedData};
use crate::reports::rounding::{round_rows, rounded_size, secret_seed};
use crate::reports::rows::{SEED, plain_row};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Fewest units on which a verdict rests.
const TESTABLE: usize = 100;
/// Share of all interactions above which the most active 1 % are over-represented: ten times an even share.
const TOP_LIMIT: f64 = 10.0 * TOP;
/// Share of users below which an attribute says little about all of them.
const KNOWN_LIMIT: f64 = 0.8;
/// Share of users that may be flagged as bots before it is a finding: people are no normal distribution.
const BOT_LIMIT: f64 = 0.001;
/// Share of items that may have a burst before it is a finding.
const BURST_LIMIT: f64 = 0.01;
/// Positions that get a row.
const POSITIONS: usize = 10;

const OPTIONS: BootstrapOptions = BootstrapOptions { level: 0.95, replicates: 500, seed: SEED };

/// Fills in the report from the log of users who agreed to training.
pub(crate) fn rows(app: &App, view: &ShopState, log: &Log, report: &mut Report) -> Answer<()> {
    let data = data_log::read(app, view, log)?;
    report.users = data.users.len() as u64;
    if data.users.is_empty() {
        report.notes.push("the log holds no interaction of a user who agreed to training".to_owned());
        return Ok(());
    }
    (report.from, report.to) = (Some(Timestamp::at(data.window.from)), Some(Timestamp::at(data.window.to)));
    over_represented(&data, report);
    attributes(&data, report);
    labels(&data, report);
    bots_and_bursts(&data, report);
    feedback(&data, report);
    positions(&data, report);
    // One shopper's consent must not be read from two reports.
    let sizes = round_rows(secret_seed(app, "data"), &mut report.rows);
    report.users = rounded_size(&sizes, report.users);
    report.notes.push(
        "interactions of users who agreed to training; numbers are rounded at random, sizes to tens; limits in the formulas are conventions, not laws; intervals at 95 %, by bootstrap \
         over users or items, or Wilson's for shares"
            .to_owned(),
    );
    Ok(())
}

/// What a row is called and how it is computed.
struct Name<'a> {
    name: &'a str,
    label: &'a str,
    formula: &'a str,
}

/// A row with value, interval and n, without a verdict.
fn row(name: &Name<'_>, figure: &Figure) -> ReportRow {
    let mut row = plain_row(name.name, name.label, figure.value.value, figure.n, name.formula);
    row.undefined = figure.value.reason.map(|reason| reason.to_string());
    (row.low, row.high) = (figure.interval.map(|one| one.low), figure.interval.map(|one| one.high));
    row
}

fn undefined(name: &Name<'_>, n: usize, reason: &str) -> ReportRow {
    let mut row = plain_row(name.name, name.label, None, n, name.formula);
    row.undefined = Some(reason.to_owned());
    row.verdict = Some(Verdict::InsufficientData);
    row
}

/// The verdict of a figure: above noise where its whole interval is `beyond` the limit.
fn verdict(figure: &Figure, beyond: impl Fn(Interval) -> bool) -> Option<Verdict> {
    Some(match figure.interval {
        Some(interval) if figure.n >= TESTABLE && beyond(interval) => Verdict::AboveNoise,
        Some(_) if figure.n >= TESTABLE => Verdict::WithinNoise,
        _ => Verdict::InsufficientData,
    })
}

fn over_represented(data: &LoggedData, report: &mut Report) {
    for (unit, counts) in [("users", &data.per_user), ("items", &data.per_item)] {
        let found = concentration(counts, OPTIONS);
        let part = |take: fn(&Concentration) -> Figure| match &found {
            Ok(found) => take(found),
            Err(reason) => Figure { value: Err(*reason).into(), interval: None, n: counts.len() },
        };
        let (top, gini, effective) = (part(|c| c.top_share), part(|c| c.gini), part(|c| c.effective));
        let name = Name {
            name: &format!("{unit}/top-1%"),
            label: &format!("share of interactions that the most active 1 % of {unit} hold"),
            formula: "interactions of the top 1 % / all, showings and searches left out; above noise: interval above 10 %",
        };
        let mut first = row(&name, &top);
        first.verdict = verdict(&top, |interval| interval.low > TOP_LIMIT);
        report.rows.push(first);
        let name = Name {
            name: &format!("{unit}/gini"),
            label: &format!("concentration of interactions over {unit}, 0 even, 1 all on one"),
            formula: "sum (2i-n-1) c_(i) / (n sum c), zeros included; judged by the top 1 %",
        };
        report.rows.push(row(&name, &gini));
        let name = Name {
            name: &format!("{unit}/effective"),
            label: &format!("{unit} that share the interactions as if evenly"),
            formula: "exp(-sum p ln p); judged by the top 1 %",
        };
        report.rows.push(row(&name, &effective));
    }
}

fn attributes(data: &LoggedData, report: &mut Report) {
    for attribute in &data.attributes {
        let groups = attribute.groups;
        let Ok(AttributeCoverage { known, too_small, activity_ratio, .. }) =
            attribute_coverage(&attribute.users, groups, OPTIONS)
        else {
            continue;
        };
        let name = Name {
            name: &format!("known/{}", attribute.name),
            label: &format!("share of users whose {} is declared and open to audits", attribute.name),
            formula: "users with a value and consent to audits / all users; above noise: interval below 80 %",
        };
        let mut share = row(&name, &known);
        share.verdict = verdict(&known, |interval| interval.high < KNOWN_LIMIT);
        report.rows.push(share);
        let name = Name {
            name: &format!("unknown-activity/{}", attribute.name),
            label: &format!("interactions of users without {} over those of users with one", attribute.name),
            formula: "ratio of means; away from 1, users with a value do not stand for all",
        };
        let mut ratio = row(&name, &activity_ratio);
        ratio.verdict = verdict(&activity_ratio, |interval| interval.low > 1.0 || interval.high < 1.0);
        report.rows.push(ratio);
        if !too_small.is_empty() {
            // Neither names nor counts: a group of a few users would identify them.
            report.notes.push(format!(
                "{}: some groups have fewer than 30 users; how they are served cannot be told",
                attribute.name
            ));
        }
    }
    if data.attributes.is_empty() {
        report.notes.push("no attribute is declared and open to audits: missing groups cannot be seen".to_owned());
    }
}

fn labels(data: &LoggedData, report: &mut Report) {
    let Ok(skew) = label_skew(&data.labels, OPTIONS) else { return };
    for (kind, share) in InteractionType::ALL.iter().zip(&skew.shares) {
        if share.value.value.is_some_and(|value| value > 0.0) {
            let name = Name {
                name: &format!("label/{}", kind.as_str()),
                label: &format!("share of interactions of the kind {}", kind.as_str()),
                formula: "interactions of the kind / all",
            };
            report.rows.push(row(&name, share));
        }
    }
    let name = Name {
        name: "label-shift",
        label: "change of these shares from the first to the second half of the log",
        formula: "half the sum of absolute differences; the baseline is the 95th percentile when each user's halves are exchanged at random",
    };
    let shift = Figure { value: skew.shift, interval: None, n: data.users.len() };
    let mut shifted = row(&name, &shift);
    shifted.baseline = skew.shift_floor.value;
    shifted.verdict = Some(match (skew.shift.value, skew.shift_floor.value) {
        (Some(shift), Some(floor)) if data.users.len() >= TESTABLE && shift > floor => Verdict::AboveNoise,
        (Some(_), Some(_)) if data.users.len() >= TESTABLE => Verdict::WithinNoise,
        _ => Verdict::InsufficientData,
    });
    report.rows.push(shifted);
}

/// A share of units with Wilson's interval.
fn share(hits: usize, n: usize) -> Figure {
    let bounds = wilson(hits as u64, n as u64, OPTIONS.level).ok();
    let value = if n == 0 { Err(Undefined::NoObservations) } else { Ok(hits as f64 / n as f64) };
    let interval = bounds.map(|(low, high)| Interval { low, high, level: OPTIONS.level, replicates: 0 });
    Figure { value: value.into(), interval, n }
}

fn bots_and_bursts(data: &LoggedData, report: &mut Report) {
    let paces = user_paces(&data.times);
    let flagged = || paces.iter().filter(|pace| pace.is_flagged());
    let figure = share(flagged().count(), paces.len());
    let formula = format!(
        "logarithm of interactions per active day more than {FLAG} robust standard deviations above the median, or times between \
         interactions that many below the usual irregularity; above noise: interval above 0.1 %"
    );
    let name = Name { name: "bots/users", label: "users that act like a program", formula: &formula };
    let mut users = row(&name, &figure);
    users.verdict = verdict(&figure, |interval| interval.low > BOT_LIMIT);
    report.rows.push(users);
    let events: usize = flagged().map(|pace| pace.events).sum();
    let all: usize = paces.iter().map(|pace| pace.events).sum();
    let value: Value = if all == 0 { Err(Undefined::NoObservations) } else { Ok(events as f64 / all as f64) }.into();
    let name = Name {
        name: "bots/interactions",
        label: "share of interactions that these users made",
        formula: "judged by the share of users",
    };
    report.rows.push(row(&name, &Figure { value, interval: None, n: all }));
    let bursts: Vec<bool> =
        data.daily.iter().filter_map(|daily| item_burst(daily).ok()).map(|burst| burst.is_flagged()).collect();
    let figure = share(bursts.iter().filter(|flagged| **flagged).count(), bursts.len());
    let formula = format!(
        "items with a day of 10 interactions or more whose square root lies more than {FLAG} robust standard deviations above the \
         item's own days; offers and seasons do that as well; above noise: interval above 1 %"
    );
    let name = Name { name: "bursts/items", label: "items with a day beyond their own custom", formula: &formula };
    let mut items = row(&name, &figure);
    items.verdict = verdict(&figure, |interval| interval.low > BURST_LIMIT);
    report.rows.push(items);
}

fn feedback(data: &LoggedData, report: &mut Report) {
    let formula = format!(
        "first showings of an item to a user that are followed by a purchase within {HORIZON_DAYS} days / purchases in windows of the same \
         length before and after; 1: showing causes nothing; stable tastes and even trends cancel"
    );
    let name =
        Name { name: "showing-lift", label: "purchases that follow a showing over organic ones", formula: &formula };
    if data.showings.is_empty() {
        report.rows.push(undefined(&name, 0, "the log holds no showings (`impression`)"));
        return;
    }
    match showing_lift(&data.showings, data.window, OPTIONS) {
        Ok(found) => {
            let figure = Figure { value: found.lift, interval: found.interval, n: found.showings };
            let mut lift = row(&name, &figure);
            lift.verdict = verdict(&figure, |interval| interval.low > 1.0);
            report.rows.push(lift);
            if found.hides_bought {
                report.notes.push(
                    "showing-lift: nothing was shown to a user who had bought it, so showings are compared with later purchases only"
                        .to_owned(),
                );
            }
        }
        Err(reason) => report.rows.push(undefined(&name, data.showings.len(), &reason.to_string())),
    }
}

fn positions(data: &LoggedData, report: &mut Report) {
    let formula = format!(
        "attention relative to the first position, from items that were seen at several positions; positions with fewer than \
         {POSITION_CLICKS} clicks are left out; above noise: interval below 1"
    );
    let name = Name { name: "examination", label: "position bias", formula: &formula };
    let found = match position_bias(&data.shown, OPTIONS) {
        Ok(found) => found,
        Err(reason) => {
            let why = match reason {
                Undefined::NoObservations => "the log holds no showings with positions and lists (`query_id`)",
                Undefined::NoSupport => {
                    "not identifiable: no clicked items were seen both on the first position and on others"
                }
                Undefined::TooFew => "too few clicks on items that were seen at several positions",
                _ => "not identifiable",
            };
            report.rows.push(undefined(&name, data.shown.len(), why));
            return;
        }
    };
    for (position, one) in found.positions.iter().enumerate().take(POSITIONS).skip(1) {
        let figure = Figure { value: Ok(one.examination).into(), interval: one.interval, n: found.impressions };
        let name = Name {
            name: &format!("examination/{}", position + 1),
            label: &format!("attention of position {} relative to the first", position + 1),
            formula: &formula,
        };
        let mut examined = row(&name, &figure);
        examined.baseline = Some(mercer_reports::attention::Attention::Logarithmic.at(position));
        examined.verdict = verdict(&figure, |interval| interval.high < 1.0);
        report.rows.push(examined);
    }
}
