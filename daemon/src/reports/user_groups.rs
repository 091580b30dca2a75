//! The partitions of the shoppers that the fairness report compares: by declared and consented attributes, by history, by consent to
//! personalisation, and two-way intersections (METRICS.md section 4). Nothing is inferred.

use std::collections::{BTreeMap, BTreeSet};

use mercer_reports::GroupOptions;
use mercer_reports::groups::{UNKNOWN, intersections};

use crate::reports::history_groups::HistoryGroups;
use crate::reports::rounding::{BLUR, secret_seed};
use crate::reports::shoppers::Shoppers;
use crate::state::app::App;

/// Most values of an attribute that is compared: one value for each shopper is a name, not a group.
const MOST_VALUES: usize = 200;
/// Attributes whose pairs are compared.
const MOST_CROSSED: usize = 3;
/// Fewest users of a cell of an intersection: smaller ones are merged.
const CELL: usize = 30;

/// The shoppers in groups by one property.
pub(crate) struct Partition {
    pub(crate) attribute: String,
    /// Group of each user.
    pub(crate) labels: Vec<String>,
    pub(crate) options: GroupOptions,
}

impl Partition {
    fn new(attribute: impl Into<String>, labels: Vec<String>) -> Self {
        Self { attribute: attribute.into(), labels, options: GroupOptions::default() }
    }

    /// With the secret draws of this installation, by which the table is rounded.
    fn rounded(mut self, app: &App) -> Self {
        self.options.seed = secret_seed(app, &self.attribute);
        self.options.blur = BLUR;
        self
    }

    /// The labels as the arithmetic takes them.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.labels.iter().map(String::as_str).collect()
    }
}

/// All partitions, with notes on what is not compared.
pub(crate) fn partitions(
    shoppers: &Shoppers<'_>,
    history: &[HistoryGroups],
    notes: &mut Vec<String>,
) -> Vec<Partition> {
    let mut declared: Vec<Partition> = protected(shoppers, notes)
        .into_iter()
        .map(|attribute| {
            let labels = shoppers.users.iter().map(|&user| label(shoppers, user, &attribute)).collect();
            Partition::new(attribute, labels)
        })
        .collect();
    let crossed = crossed(&declared);
    declared.extend(history.iter().map(|groups| {
        let labels = groups.labels.iter().map(|label| (*label).to_owned()).collect();
        Partition::new(format!("history/{}", groups.unit), labels)
    }));
    if shoppers.users.iter().any(|&user| shoppers.refused(user)) {
        let word = |&user: &u32| if shoppers.refused(user) { "refused" } else { "agreed" }.to_owned();
        declared.push(Partition::new("personalisation", shoppers.users.iter().map(word).collect()));
    }
    declared.extend(crossed);
    declared.into_iter().map(|partition| partition.rounded(shoppers.app)).collect()
}

/// Those who refused training beside those who are measured otherwise, who did not.
pub(crate) fn by_training(app: &App, agreed: usize, refused: usize) -> Partition {
    let labels = std::iter::repeat_n("agreed", agreed).chain(std::iter::repeat_n("refused", refused));
    Partition::new("training", labels.map(str::to_owned).collect()).rounded(app)
}

/// The declared value of a user whose consent lets reports use it.
fn label(shoppers: &Shoppers<'_>, user: u32, attribute: &str) -> String {
    let subject = shoppers.view.subject(user).filter(|subject| shoppers.audited(subject, attribute));
    subject.and_then(|subject| subject.attributes.get(attribute)).map_or(UNKNOWN, String::as_str).to_owned()
}

/// Attributes to compare by: those that the configuration names, else all that are declared with at least two values.
fn protected(shoppers: &Shoppers<'_>, notes: &mut Vec<String>) -> Vec<String> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let subjects = shoppers.users.iter().filter_map(|&user| shoppers.view.subject(user));
    for subject in subjects {
        for (name, value) in subject.attributes.iter().filter(|(name, _)| shoppers.audited(subject, name)) {
            values.entry(name).or_default().insert(value);
        }
    }
    let named = &shoppers.app.config.reports.protected;
    let all = || values.iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| (*name).to_owned());
    let wanted: Vec<String> = if named.is_empty() { all().collect() } else { named.clone() };
    wanted
        .into_iter()
        .filter(|name| match values.get(name.as_str()).map_or(0, BTreeSet::len) {
            0 => {
                notes.push(format!(
                    "{name}: no shopper measured declared it and agreed to audits, so nothing is compared"
                ));
                false
            }
            many if many > MOST_VALUES => {
                notes.push(format!("{name}: not compared, because it has more than {MOST_VALUES} values"));
                false
            }
            _ => true,
        })
        .collect()
}

/// Two-way intersections of the attributes that most shoppers declared.
fn crossed(declared: &[Partition]) -> Vec<Partition> {
    let known = |partition: &Partition| partition.labels.iter().filter(|label| *label != UNKNOWN).count();
    let mut most: Vec<&Partition> = declared.iter().collect();
    most.sort_by_key(|partition| std::cmp::Reverse(known(partition)));
    most.truncate(MOST_CROSSED);
    let mut out = Vec::new();
    for (place, first) in most.iter().enumerate() {
        for second in &most[place + 1..] {
            let labels = intersections(&first.names(), &second.names());
            let mut crossed = Partition::new(format!("{} x {}", first.attribute, second.attribute), labels);
            crossed.options.suppress_below = CELL;
            out.push(crossed);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(name: &str, labels: &[&str]) -> Partition {
        Partition::new(name, labels.iter().map(|label| (*label).to_owned()).collect())
    }

    #[test]
    fn intersections_are_of_two_attributes_that_most_declared() {
        let declared = [
            partition("rare", &[UNKNOWN, UNKNOWN, UNKNOWN, "x"]),
            partition("gender", &["f", "m", "f", "m"]),
            partition("age", &["old", "old", "young", UNKNOWN]),
            partition("region", &["north", "south", UNKNOWN, UNKNOWN]),
        ];
        let crossed = crossed(&declared);
        let names: Vec<&str> = crossed.iter().map(|partition| partition.attribute.as_str()).collect();
        assert_eq!(names, ["gender x age", "gender x region", "age x region"]);
        assert_eq!(crossed[0].labels, ["f, old", "m, old", "f, young", UNKNOWN]);
        assert!(crossed.iter().all(|partition| partition.options.suppress_below == CELL));
    }
}
