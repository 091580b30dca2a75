//! The schema of the TOML files under `data/presets/`. No code depends on a data set; a preset holds all differences
//! between logs.

use std::collections::BTreeMap;

use mercer_shared::wire::InteractionType;
use serde::Deserialize;

use super::anonymise::AnonymiseSpec;

/// One kind of file of a log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// For reports.
    pub name: String,
    /// Columns that must be there; of a preset's files the first whose columns are all present is taken. For NDJSON these are
    /// dotted paths, and every record chooses for itself.
    pub requires: Vec<String>,
    /// Other names of a column, such as those of an earlier edition of the log.
    #[serde(default)]
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Names of the columns where the file has no header.
    #[serde(default)]
    pub columns: Vec<String>,
    /// A part of the file's name; tells files without a header apart before their shape does.
    pub file_name: Option<String>,
    /// Separator, of one or more letters; found out where it is not said.
    pub delimiter: Option<String>,
    /// Whether quotes hold a field together.
    #[serde(default = "yes")]
    pub quotes: bool,
    /// Encoding by its WHATWG label; else UTF-8, and Windows-1252 for lines that are not.
    pub encoding: Option<String>,
    /// NDJSON: where a document holds the record, or a list of them, that is meant; where it does not, it is one itself.
    pub records: Option<String>,
    /// NDJSON: paths of lists of equal length; each member makes an interaction of its own. Columns may go on inside a member.
    #[serde(default)]
    pub explode: Vec<String>,
    /// Columns that only the first record of a group holds.
    pub fill_down: Option<FillDownSpec>,
    /// Changes to the words that mean "no value" in columns of ids, numbers and stock.
    pub null_words: Option<NullSpec>,
    /// The decimal separator of numbers; found out for each number where that is unambiguous.
    pub decimal: Option<Decimal>,
    /// Rules that leave records out, in order; the first that holds is counted.
    #[serde(default)]
    pub skip: Vec<Rule>,
    /// How times are written.
    pub time: Option<TimeSpec>,
    /// Columns from which persons are taken out before anything is made of a record.
    #[serde(default)]
    pub anonymise: Vec<AnonymiseSpec>,
    /// Key of hashes; not part of the preset.
    #[serde(skip)]
    pub(crate) key: [u8; 32],
    /// The item of a record.
    pub item: Option<ItemSpec>,
    /// The user of a record.
    pub user: Option<UserSpec>,
    /// The interaction of a record.
    pub interaction: Option<InteractionSpec>,
}

const fn yes() -> bool {
    true
}

/// Columns that only the first record of a group holds, such as the fields of an order above its lines: where they are empty,
/// the value of an earlier record of the same group is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FillDownSpec {
    /// The column that names the group. Records of a group follow each other.
    pub by: String,
    /// The columns that are filled.
    pub columns: Vec<String>,
}

/// Changes to the words that mean "no value", which are compared without case: `nan`, `null`, `NA`, `N/A`, `None`, `-`, `\N`,
/// `#N/A`, `undefined`, `(not set)` and other spellings of these.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NullSpec {
    /// Words that also mean "no value", such as the id of a guest account.
    pub add: Vec<String>,
    /// Words that are values in this log.
    pub remove: Vec<String>,
}

/// A decimal separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Decimal {
    /// `1,299.50`
    #[serde(rename = ".")]
    Point,
    /// `1.299,50`
    #[serde(rename = ",")]
    Comma,
}

/// A rule that leaves records out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in the report.
    pub rule: String,
    /// When it holds.
    pub when: ConditionSpec,
}

/// A condition. Everything that is said must hold; what is no number fulfils no condition on numbers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionSpec {
    /// The column that the words below are about.
    pub column: Option<String>,
    /// Nothing in it but white space, or something.
    pub empty: Option<bool>,
    /// Exactly one of these.
    pub one_of: Option<Vec<String>>,
    /// None of these.
    pub none_of: Option<Vec<String>>,
    /// Begins with one of these.
    pub starts_with: Option<Vec<String>>,
    /// Looks like one of these: `#` is a digit, `@` a letter, `?` any character, `*` any number of them.
    pub like: Option<Vec<String>>,
    /// Looks like none of these.
    pub unlike: Option<Vec<String>>,
    /// Whether it has letters and none of them is a capital.
    pub lower_case: Option<bool>,
    /// A number below this.
    pub below: Option<f64>,
    /// A number of at most this.
    pub at_most: Option<f64>,
    /// A number above this.
    pub above: Option<f64>,
    /// A number of at least this.
    pub at_least: Option<f64>,
    /// One of these conditions.
    pub any: Option<Vec<ConditionSpec>>,
    /// All of these conditions.
    pub all: Option<Vec<ConditionSpec>>,
    /// Not this condition.
    pub not: Option<Box<ConditionSpec>>,
}

/// How times are written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpec {
    /// The column.
    pub column: Option<String>,
    /// `unix` (seconds), `unix_ms`, `unix_us`, `unix_ns`, `rfc3339` or strptime patterns, tried in order. RFC 3339, and the same
    /// without a zone, are always understood. A number that is no plausible time in the unit said here, and is one in another
    /// unit, is read in that unit, and the report says so.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Zone of times that do not say theirs; UTC if absent.
    pub zone: Option<String>,
    /// A fixed moment, for logs that carry none.
    pub fixed: Option<String>,
}

/// A value: a column, or more than that.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a column's name or a table of column, columns, constant, content, ...")]
pub enum ValueSpec {
    /// The column of this name as it is.
    Column(String),
    /// Something to be made of columns.
    Made(Box<MadeSpec>),
}

/// A value made of columns. Said in the order in which it is done.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MadeSpec {
    /// From this column.
    pub column: Option<String>,
    /// From these columns, those that are not empty, with `with` between them.
    pub columns: Vec<String>,
    /// Stands between `columns`; a space if absent.
    pub with: Option<String>,
    /// From the first of these columns that is not empty.
    pub first_of: Vec<String>,
    /// The names of those columns of these that hold 1 or true.
    pub flags: Vec<String>,
    /// Always this.
    pub constant: Option<String>,
    /// This, and then a name of the record itself, made of its content: for logs that do not say who it was.
    pub content: Option<String>,
    /// Only when this holds.
    pub when: Option<ConditionSpec>,
    /// Not when this holds.
    pub unless: Option<ConditionSpec>,
    /// Takes these texts out.
    pub remove: Vec<String>,
    /// Writes `17850.0` as `17850` and `1.7009E+04` as `17009`.
    pub integer: bool,
    /// Takes the sign off a number.
    pub absolute: bool,
    /// Lower ends of bands: a number becomes `18-24`, the last one `65+`, below the first `under 18`.
    pub bands: Vec<u32>,
    /// Other words for these values.
    pub map: BTreeMap<String, String>,
    /// Whether values that `map` does not have are dropped.
    pub only_mapped: bool,
    /// Makes it lower case.
    pub lower: bool,
    /// Puts this before it.
    pub prefix: String,
    /// Splits it (categories).
    pub split: Option<String>,
    /// Only so many parts of the split.
    pub take: Option<usize>,
}

/// Which of several values of one thing is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The first record's.
    First,
    /// The latest record's.
    #[default]
    Last,
    /// The one of most records; of equals the first.
    MostFrequent,
    /// The middle one, of numbers (the lower of two).
    Median,
}

/// The item of a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemSpec {
    /// The id.
    pub id: ValueSpec,
    /// The title.
    pub title: Option<ValueSpec>,
    /// Which title is taken.
    #[serde(default)]
    pub title_choice: Choice,
    /// Stands before the id where an item has no title.
    #[serde(default)]
    pub untitled: String,
    /// The description.
    pub description: Option<ValueSpec>,
    /// The brand.
    pub brand: Option<ValueSpec>,
    /// The category path, widest first; each may split into several levels.
    #[serde(default)]
    pub category: Vec<ValueSpec>,
    /// The price, perhaps with a currency beside it. A price that is no number is left out, and the report says so.
    pub price: Option<ValueSpec>,
    /// Which price is taken.
    #[serde(default)]
    pub price_choice: Choice,
    /// Currency of all prices.
    pub currency: Option<String>,
    /// The seller.
    pub seller: Option<ValueSpec>,
    /// Attributes by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, ValueSpec>,
    /// Whether it can be bought: `in stock`, `out of stock`, `preorder`, `backorder`, yes and no in usual spellings, or a
    /// count. Empty says nothing; so does an unknown word, which the report names.
    pub in_stock: Option<ValueSpec>,
    /// Whether it must not be shown: yes and no in usual spellings.
    pub hidden: Option<ValueSpec>,
    /// The log only names items: they are written where the shop does not know them, and change nothing where it does.
    #[serde(default)]
    pub only_names: bool,
}

/// The user of a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The id.
    pub id: ValueSpec,
    /// Declared attributes by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, ValueSpec>,
    /// Which of several values of an attribute is taken.
    #[serde(default)]
    pub choice: Choice,
}

/// The interaction of a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionSpec {
    /// Columns whose values name the event, so that reading a file again adds nothing; all that the interaction uses if absent.
    #[serde(default)]
    pub id: Vec<String>,
    /// Whether these columns name it uniquely: then a second record of the same name is a duplicate. Else it is a second event,
    /// told apart by its number among equals.
    #[serde(default)]
    pub unique: bool,
    /// Exceptions of the type, in order.
    #[serde(default)]
    pub type_rule: Vec<TypeRule>,
    /// The column that says the type.
    pub type_column: Option<String>,
    /// Types by the words of that column, compared without case; records with other words are left out and counted.
    #[serde(default)]
    pub types: BTreeMap<String, InteractionType>,
    /// The type where neither a rule nor a column says it.
    #[serde(rename = "type")]
    pub kind: Option<InteractionType>,
    /// The user.
    pub user: Option<ValueSpec>,
    /// The session.
    pub session: Option<ValueSpec>,
    /// The item.
    pub item: Option<ValueSpec>,
    /// The query.
    pub query: Option<ValueSpec>,
    /// The id of the served list.
    pub query_id: Option<ValueSpec>,
    /// Quantity, rating or dwell time.
    pub value: Option<ValueSpec>,
    /// A review's text.
    pub text: Option<ValueSpec>,
    /// The position in the served list, from 1.
    pub position: Option<ValueSpec>,
}

/// An exception of the type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeRule {
    /// The type.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// When.
    pub when: ConditionSpec,
}
