//! Presets: how a shop's log is read, as data. No code knows a data set; everything a preset can say stands here.

use std::collections::BTreeMap;
use std::path::Path;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{InteractionType, PresetInfo};
use serde::Deserialize;

/// A preset: one section for each kind of file that belongs to the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it reads.
    pub description: String,
    /// Kinds of file; the first whose columns are all present is taken.
    pub file: Vec<FileSpec>,
}

/// One kind of file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// For reports.
    pub name: String,
    /// Columns that must be there.
    pub requires: Vec<String>,
    /// Names of the columns where the file has no header.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Separator, of one or more characters; found out where it is not said.
    pub delimiter: Option<String>,
    /// A part of the file name that this section is meant for, where columns cannot tell.
    pub file_name: Option<String>,
    /// Rules that leave lines out, in order.
    #[serde(default)]
    pub skip: Vec<Rule>,
    /// How times are written.
    pub time: Option<TimeSpec>,
    /// The item of a line.
    pub item: Option<ItemSpec>,
    /// The user of a line.
    pub user: Option<UserSpec>,
    /// The interaction of a line.
    pub interaction: Option<InteractionSpec>,
}

/// A rule that leaves lines out.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// Its name in the report.
    pub rule: String,
    /// When it applies.
    #[serde(flatten)]
    pub when: Condition,
}

/// A condition on one column; everything that is said must hold.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// Nothing in it but spaces.
    pub empty: Option<bool>,
    /// Exactly one of these.
    pub one_of: Option<Vec<String>>,
    /// None of these.
    pub none_of: Option<Vec<String>>,
    /// Begins with one of these.
    pub starts_with: Option<Vec<String>>,
    /// A number below this.
    pub below: Option<f64>,
    /// A number of at most this.
    pub at_most: Option<f64>,
    /// A number of at least this.
    pub at_least: Option<f64>,
}

impl Condition {
    /// Whether a value fulfils it. What is no number fulfils no condition on numbers.
    #[must_use]
    pub fn holds(&self, value: &str) -> bool {
        let number = || value.trim().parse::<f64>().ok();
        let one = |list: &Vec<String>| list.iter().any(|word| word == value.trim());
        self.empty.is_none_or(|empty| value.trim().is_empty() == empty)
            && self.one_of.as_ref().is_none_or(one)
            && self.none_of.as_ref().is_none_or(|list| !one(list))
            && self
                .starts_with
                .as_ref()
                .is_none_or(|list| list.iter().any(|start| value.trim().starts_with(start.as_str())))
            && self.below.is_none_or(|limit| number().is_some_and(|n| n < limit))
            && self.at_most.is_none_or(|limit| number().is_some_and(|n| n <= limit))
            && self.at_least.is_none_or(|limit| number().is_some_and(|n| n >= limit))
    }
}

/// How times are written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    /// The column.
    pub column: Option<String>,
    /// `unix`, `unix_ms`, `rfc3339`, or a strptime format.
    pub format: String,
    /// Zone of times that do not say theirs; UTC if absent.
    pub zone: Option<String>,
    /// A fixed moment, for files that carry none.
    pub fixed: Option<String>,
}

/// Which of several titles of one item is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleChoice {
    /// The one on most lines; of equals the first.
    MostFrequent,
    /// The latest line's.
    #[default]
    Last,
    /// The first line's.
    First,
}

/// The item of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemSpec {
    /// Column of the id.
    pub id: String,
    /// Column of the title; the id where there is none.
    pub title: Option<String>,
    /// Which title is taken.
    #[serde(default)]
    pub title_choice: TitleChoice,
    /// Lines under which these hold say nothing about the title.
    #[serde(default)]
    pub title_unless: Vec<Condition>,
    /// Text before the id where the title is missing.
    #[serde(default)]
    pub title_fallback: String,
    /// Column of the description.
    pub description: Option<String>,
    /// Column of the brand.
    pub brand: Option<String>,
    /// Columns of the category path, widest first.
    #[serde(default)]
    pub category: Vec<String>,
    /// Separates the levels inside a category column.
    pub category_separator: Option<String>,
    /// Columns that are 1 where the item is of that category.
    #[serde(default)]
    pub category_flags: Vec<String>,
    /// Column of the price.
    pub price: Option<String>,
    /// Currency of all prices.
    pub currency: Option<String>,
    /// Attributes by name: the column of each.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// The user of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// Column of the id.
    pub id: String,
    /// Declared attributes by name: the column of each.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Words for coded values, by attribute.
    #[serde(default)]
    pub words: BTreeMap<String, BTreeMap<String, String>>,
    /// Ages in years that become bands, by attribute.
    #[serde(default)]
    pub age_bands: Vec<String>,
}

/// The interaction of a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionSpec {
    /// Columns whose values name the event; equal lines are told apart by their number within the file.
    #[serde(default)]
    pub id: Vec<String>,
    /// Its type, where no rule and no column says otherwise.
    #[serde(rename = "type")]
    pub kind: Option<InteractionType>,
    /// Column that says the type.
    pub type_column: Option<String>,
    /// Types by the words of that column; other words are rejected.
    #[serde(default)]
    pub types: BTreeMap<String, InteractionType>,
    /// Exceptions, in order.
    #[serde(default)]
    pub type_rule: Vec<TypeRule>,
    /// Column of the user.
    pub user: Option<String>,
    /// Column of the session.
    pub session: Option<String>,
    /// Column of the item; several ids in one JSON list are several interactions' worth of the first.
    pub item: Option<String>,
    /// Column of the query.
    pub query: Option<String>,
    /// Column of the served list's id.
    pub query_id: Option<String>,
    /// Column of the value; its size counts, not its sign.
    pub value: Option<String>,
    /// Column of a review's text.
    pub text: Option<String>,
    /// Column of the position, from 1.
    pub position: Option<String>,
}

/// An exception of the type.
#[derive(Debug, Clone, Deserialize)]
pub struct TypeRule {
    /// The type.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// When.
    #[serde(flatten)]
    pub when: Condition,
}

/// Presets that ship with Mercer: name and text.
const SHIPPED: [(&str, &str); 9] = [
    ("online-retail", include_str!("../../../data/presets/online-retail.toml")),
    ("open-ecommerce", include_str!("../../../data/presets/open-ecommerce.toml")),
    ("clothing-reviews", include_str!("../../../data/presets/clothing-reviews.toml")),
    ("movielens-1m", include_str!("../../../data/presets/movielens-1m.toml")),
    ("movielens-100k", include_str!("../../../data/presets/movielens-100k.toml")),
    ("retailrocket", include_str!("../../../data/presets/retailrocket.toml")),
    ("ubi", include_str!("../../../data/presets/ubi.toml")),
    ("algolia-insights", include_str!("../../../data/presets/algolia-insights.toml")),
    ("gorse", include_str!("../../../data/presets/gorse.toml")),
];

impl Preset {
    /// Reads a preset's text.
    ///
    /// # Errors
    /// `bad-config` with the place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| Problem::new(Code::BadConfig, format!("preset `{name}`: {error}")))
    }

    /// The preset of a name: from the directory if one is given and has it, else a shipped one.
    ///
    /// # Errors
    /// `unknown-preset` with the names there are, `bad-config` for one that cannot be read.
    pub fn find(name: &str, directory: Option<&Path>) -> Result<Self, Problem> {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if let Some(directory) = directory.filter(|_| plain)
            && let Ok(text) = std::fs::read_to_string(directory.join(format!("{name}.toml")))
        {
            return Self::parse(name, &text);
        }
        match SHIPPED.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text),
            None => {
                let known: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
                Err(Problem::new(
                    Code::UnknownPreset,
                    format!("there is no preset `{name}`; there are {}", known.join(", ")),
                ))
            }
        }
    }

    /// All presets for listing.
    #[must_use]
    pub fn list(directory: Option<&Path>) -> Vec<PresetInfo> {
        let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
        if let Some(entries) = directory.and_then(|directory| std::fs::read_dir(directory).ok()) {
            let own = entries
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned));
            names.extend(own);
            names.sort();
            names.dedup();
        }
        names
            .into_iter()
            .filter_map(|name| {
                let preset = Self::find(&name, directory).ok()?;
                let columns = preset.file.first().map(|file| file.requires.clone()).unwrap_or_default();
                Some(PresetInfo { name, description: preset.description, columns })
            })
            .collect()
    }
}

impl FileSpec {
    /// Every column that is read, once each.
    #[must_use]
    pub fn used_columns(&self) -> Vec<String> {
        let mut used: Vec<&String> = self.requires.iter().collect();
        used.extend(self.skip.iter().map(|rule| &rule.when.column));
        used.extend(self.time.iter().filter_map(|time| time.column.as_ref()));
        if let Some(item) = &self.item {
            used.push(&item.id);
            used.extend(item.title_unless.iter().map(|when| &when.column));
            used.extend([&item.title, &item.description, &item.brand, &item.price].into_iter().flatten());
            used.extend(item.category.iter().chain(&item.category_flags).chain(item.attributes.values()));
        }
        if let Some(user) = &self.user {
            used.push(&user.id);
            used.extend(user.attributes.values());
        }
        if let Some(event) = &self.interaction {
            used.extend(event.id.iter().chain(event.type_rule.iter().map(|rule| &rule.when.column)));
            let single = [
                &event.type_column,
                &event.user,
                &event.session,
                &event.item,
                &event.query,
                &event.query_id,
                &event.value,
                &event.text,
                &event.position,
            ];
            used.extend(single.into_iter().flatten());
        }
        let mut names: Vec<String> = Vec::new();
        for name in used {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shipped_presets_can_be_read() {
        for (name, _) in SHIPPED {
            let preset = Preset::find(name, None).unwrap();
            for file in &preset.file {
                assert!(
                    file.item.is_some() || file.user.is_some() || file.interaction.is_some(),
                    "{name}/{}",
                    file.name
                );
                assert!(!file.requires.is_empty(), "{name}/{}", file.name);
                if file.interaction.is_some() {
                    assert!(file.time.is_some(), "{name}/{}: an interaction needs a time", file.name);
                }
            }
        }
        assert_eq!(Preset::find("nothing", None).unwrap_err().code, Code::UnknownPreset);
        assert_eq!(Preset::find("../x", Some(Path::new("/"))).unwrap_err().code, Code::UnknownPreset);
    }

    #[test]
    fn conditions() {
        let c = Condition { at_most: Some(0.0), ..Condition::default() };
        assert!(c.holds("-1") && c.holds("0") && !c.holds("2") && !c.holds("x"));
        let c = Condition { starts_with: Some(vec!["C".into()]), ..Condition::default() };
        assert!(c.holds("C536379") && !c.holds("536379"));
    }
}
