//! Concentration of exposure over sellers and brands, and who is pushed to hits (METRICS.md section 3).

use std::collections::BTreeMap;

use mercer_reports::diversity as d;
use mercer_reports::popularity::{UserLists, popularity_by_group};
use mercer_shared::wire::{Item, Reference, ReportRow, Verdict};

use crate::reports::evaluated::Evaluated;
use crate::reports::history_groups::history_groups;
use crate::reports::list_facts::{CatalogueFacts, ListFacts};
use crate::reports::rounding::{LEAST, round_rows, secret_seed};
use crate::reports::rows::{SEED, plain_row};

/// Replicates of the intervals of lifts.
const LIFT_REPLICATES: usize = 1_000;

/// The group of all shoppers.
const ALL: &str = "all";

/// Exact numbers of shoppers of the rows of groups.
pub(crate) fn exact_counts(evaluated: &Evaluated<'_>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for label in history_groups(&evaluated.shoppers()).into_iter().next().iter().flat_map(|groups| &groups.labels) {
        *counts.entry(format!("popularity-lift/{label}")).or_default() += 1;
    }
    counts
}

/// Popularity lift of all shoppers and by history. The largest of the groups is the operators' number 11.
pub(crate) fn lift(evaluated: &Evaluated<'_>, items: &CatalogueFacts, facts: &ListFacts) -> Vec<ReportRow> {
    let own = |&user: &u32| {
        let mut own: Vec<u32> = evaluated.purchases(user).map(|(item, _)| item).collect();
        own.sort_unstable();
        own.dedup();
        items.eligible.places(&own)
    };
    let histories: Vec<Vec<u32>> = evaluated.any.users.iter().map(own).collect();
    let mut rows = rows_of(facts, &histories, &items.buyers, &vec![ALL; facts.lists.len()]);
    let groups = history_groups(&evaluated.shoppers()).into_iter().next().map(|groups| groups.labels);
    let mut of_groups: Vec<ReportRow> =
        groups.iter().flat_map(|labels| rows_of(facts, &histories, &items.buyers, labels)).collect();
    round_rows(secret_seed(evaluated.app, "popularity-lift"), &mut of_groups);
    rows.extend(of_groups);
    let largest =
        |a: &&mut ReportRow, b: &&mut ReportRow| a.value.unwrap_or(f64::MIN).total_cmp(&b.value.unwrap_or(f64::MIN));
    let from = usize::from(rows.len() > 1);
    if let Some(row) = rows[from..].iter_mut().max_by(largest) {
        row.number = Some(11);
    }
    rows
}

fn rows_of(facts: &ListFacts, histories: &[Vec<u32>], popularity: &[f64], labels: &[&str]) -> Vec<ReportRow> {
    let names: BTreeMap<&str, usize> = {
        let mut names: BTreeMap<&str, usize> = labels.iter().map(|label| (*label, 0)).collect();
        names.values_mut().zip(0..).for_each(|(place, number)| *place = number);
        names
    };
    let group_of: Vec<usize> = labels.iter().map(|label| names[label]).collect();
    let users = UserLists { lists: &facts.lists, histories, group_of: &group_of };
    let formula = "(mean popularity of the lists - of the histories) / of the histories, over shoppers with both; popularity: distinct buyers \
                   of the 90 days before the window; above 0 the group is pushed to hits; interval by bootstrap over users; groups by \
                   distinct shopping days (quartiles)";
    let Ok(found) = popularity_by_group(users, popularity, names.len(), LIFT_REPLICATES, SEED) else {
        return vec![ReportRow {
            undefined: Some("lists and popularity do not fit together".to_owned()),
            ..plain_row("popularity-lift/all", "popularity lift", None, 0, formula)
        }];
    };
    names
        .into_iter()
        .map(|(name, number)| {
            let group = &found[number];
            let label = format!("popularity lift, {name} shoppers");
            let mut row = plain_row(&format!("popularity-lift/{name}"), &label, group.lift.value, group.users, formula);
            row.undefined = group.lift.reason.map(|reason| reason.to_string());
            (row.low, row.high) = (group.lift_interval.map(|i| i.low), group.lift_interval.map(|i| i.high));
            row.verdict = row
                .low
                .zip(row.high)
                .map(|(low, high)| if low <= 0.0 && high >= 0.0 { Verdict::WithinNoise } else { Verdict::AboveNoise });
            if group.users < LEAST && name != ALL {
                let undefined = Some(format!("suppressed: fewer than {LEAST} shoppers"));
                row = ReportRow { n: 0, value: None, low: None, high: None, verdict: None, undefined, ..row };
            }
            row
        })
        .collect()
}

/// A property of items that they are grouped by.
type Property = fn(&Item) -> Option<&String>;

/// HHI and share of the largest, by seller and brand; nothing where no item has one.
pub(crate) fn shares(
    evaluated: &Evaluated<'_>,
    items: &CatalogueFacts,
    facts: &ListFacts,
    baseline: &ListFacts,
) -> Vec<ReportRow> {
    let properties: [(&str, Property); 2] =
        [("seller", |item| item.seller.as_ref()), ("brand", |item| item.brand.as_ref())];
    let mut rows = Vec::new();
    for (by, value) in properties {
        let names: Vec<Option<&str>> = items
            .eligible
            .items
            .iter()
            .map(|&item| evaluated.view.item(item).and_then(|item| value(item)).map(String::as_str))
            .collect();
        if names.iter().any(Option::is_some) {
            rows.push(share_row(by, &names, facts, baseline));
        }
    }
    rows
}

/// Places in lists by name; items without one are left out.
fn by_name<'a>(names: &[Option<&'a str>], facts: &ListFacts) -> BTreeMap<&'a str, f64> {
    let mut sums: BTreeMap<&str, f64> = names.iter().flatten().map(|name| (*name, 0.0)).collect();
    for (name, count) in names.iter().zip(facts.counts.iter().flatten()) {
        if let Some(sum) = name.and_then(|name| sums.get_mut(name)) {
            *sum += count;
        }
    }
    sums
}

fn share_row(by: &str, names: &[Option<&str>], facts: &ListFacts, baseline: &ListFacts) -> ReportRow {
    let index = |facts| d::hhi(&by_name(names, facts).into_values().collect::<Vec<_>>()).map(|(index, _)| index);
    let value = index(facts);
    let formula = "sum of squared shares of the places in lists (HHI), 1 is one name alone; items without a name are left out; reference: \
                   the largest share";
    let label = format!("concentration of exposure by {by}");
    let mut row = plain_row(&format!("hhi@10/{by}"), &label, value.ok(), facts.lists.len(), formula);
    row.undefined = value.err().map(|reason| reason.to_string());
    row.baseline = index(baseline).ok();
    let sums = by_name(names, facts);
    let total: f64 = sums.values().sum();
    row.reference = sums.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|_| total > 0.0).map(|(name, sum)| {
        Reference { label: format!("exposure share of the largest {by}, {name}"), value: sum / total }
    });
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lists: Vec<Vec<u32>>, catalogue: usize) -> ListFacts {
        ListFacts {
            counts: d::counts(&lists, 10, catalogue),
            dissimilarity: Vec::new(),
            miscalibration: Vec::new(),
            truth: vec![Vec::new(); lists.len()],
            lists,
        }
    }

    #[test]
    fn the_largest_brand_stands_beside_the_index() {
        let shown = facts(vec![vec![0, 1, 2], vec![0, 1, 2]], 4);
        let row = share_row("brand", &[Some("a"), Some("a"), Some("b"), None], &shown, &shown);
        assert!((row.value.unwrap() - (4.0 / 9.0 + 1.0 / 9.0)).abs() < 1e-12);
        let reference = row.reference.unwrap();
        assert_eq!(reference.label, "exposure share of the largest brand, a");
        assert!((reference.value - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_planted_popularity_loop_is_a_lift() {
        // Everybody is shown the hit; new shoppers bought hits, heavy ones bought from the tail.
        let lists = vec![vec![0, 1]; 80];
        let histories: Vec<Vec<u32>> =
            (0..80).map(|user| if user % 2 == 0 { vec![0, 1] } else { vec![2, 3] }).collect();
        let labels: Vec<&str> = (0..80).map(|user| if user % 2 == 0 { "new" } else { "heavy" }).collect();
        let rows = rows_of(&facts(lists, 4), &histories, &[100.0, 50.0, 3.0, 2.0], &labels);
        let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(of("popularity-lift/new").value, Some(0.0));
        assert!(of("popularity-lift/heavy").value.unwrap() > 20.0);
        assert_eq!(of("popularity-lift/heavy").verdict, Some(Verdict::AboveNoise));
    }
}
