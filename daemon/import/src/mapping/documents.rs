//! The documents of a record: which columns of a section give which field of an item, a user and an interaction.

use std::collections::BTreeMap;

use mercer_shared::ids::{IdError, InteractionId, ItemId, SessionId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::wire::{Interaction, InteractionType, Item, User};
use rustc_hash::FxHashMap;

use super::columns::Columns;
use super::condition::Condition;
use super::number::{self, NotANumber, has_exponent};
use super::remarks::Remark;
use super::row::Row;
use super::stock;
use super::text::clean;
use super::time::Clock;
use super::value::Value;
use crate::preset::{FileSpec, InteractionSpec, ItemSpec, UserSpec, ValueSpec};
use crate::validate::{Refusal, clip};

/// A record whose documents are made.
pub(super) struct Record<'a, 'r> {
    pub(super) row: &'a Row<'r>,
    /// A name of the record, made of its content.
    pub(super) content: &'a str,
    /// Corrections of values, with the text.
    pub(super) remarks: Vec<(Remark, String)>,
}

/// An item's fields.
pub(super) struct ItemMap<'a> {
    spec: &'a ItemSpec,
    id: Value,
    texts: [Option<Value>; 4],
    category: Vec<Value>,
    price: Option<Value>,
    attributes: Vec<(&'a str, Value)>,
    in_stock: Option<Value>,
    hidden: Option<Value>,
}

/// A user's fields.
pub(super) struct UserMap<'a> {
    id: Value,
    attributes: Vec<(&'a str, Value)>,
}

/// An interaction's fields.
pub(super) struct InteractionMap<'a> {
    pub(super) spec: &'a InteractionSpec,
    /// Columns that name it.
    pub(super) id: Vec<usize>,
    rules: Vec<(InteractionType, Condition)>,
    type_column: Option<usize>,
    /// Types by their words in small letters.
    types: FxHashMap<String, InteractionType>,
    clock: Clock,
    user: Option<Value>,
    session: Option<Value>,
    item: Option<Value>,
    query: Option<Value>,
    query_id: Option<Value>,
    value: Option<Value>,
    text: Option<Value>,
    position: Option<Value>,
}

fn value(spec: &Option<ValueSpec>, columns: &mut Columns) -> Result<Option<Value>, String> {
    spec.as_ref().map(|spec| Value::new(spec, columns)).transpose()
}

fn columns_of(value: Option<&Value>) -> Vec<usize> {
    value.map(Value::columns).unwrap_or_default()
}

fn attributes<'a>(
    specs: &'a BTreeMap<String, ValueSpec>,
    columns: &mut Columns,
) -> Result<Vec<(&'a str, Value)>, String> {
    specs.iter().map(|(name, spec)| Ok((name.as_str(), Value::new(spec, columns)?))).collect()
}

impl<'a> ItemMap<'a> {
    pub(super) fn new(spec: &'a ItemSpec, columns: &mut Columns) -> Result<Self, String> {
        let map = Self {
            attributes: attributes(&spec.attributes, columns)?,
            id: Value::new(&spec.id, columns)?,
            texts: [
                value(&spec.title, columns)?,
                value(&spec.description, columns)?,
                value(&spec.brand, columns)?,
                value(&spec.seller, columns)?,
            ],
            category: spec.category.iter().map(|spec| Value::new(spec, columns)).collect::<Result<_, _>>()?,
            price: value(&spec.price, columns)?,
            in_stock: value(&spec.in_stock, columns)?,
            hidden: value(&spec.hidden, columns)?,
            spec,
        };
        for nullable in [Some(&map.id), map.price.as_ref(), map.in_stock.as_ref(), map.hidden.as_ref()] {
            columns.make_nullable(columns_of(nullable));
        }
        Ok(map)
    }
}

impl<'a> UserMap<'a> {
    pub(super) fn new(spec: &'a UserSpec, columns: &mut Columns) -> Result<Self, String> {
        let map = Self { attributes: attributes(&spec.attributes, columns)?, id: Value::new(&spec.id, columns)? };
        columns.make_nullable(map.id.columns());
        Ok(map)
    }
}

impl<'a> InteractionMap<'a> {
    pub(super) fn new(file: &'a FileSpec, spec: &'a InteractionSpec, columns: &mut Columns) -> Result<Self, String> {
        let time = file.time.as_ref().ok_or("an interaction needs a time")?;
        if spec.kind.is_none() && spec.type_column.is_none() {
            return Err("an interaction needs a type or a type_column".to_owned());
        }
        if spec.unique && spec.id.is_empty() {
            return Err("unique needs the columns of the id".to_owned());
        }
        let mut used = Columns::default();
        let mut number = |name: &String| columns.number(name);
        let id: Vec<usize> = spec.id.iter().map(&mut number).collect();
        let mut map = Self {
            id,
            rules: spec
                .type_rule
                .iter()
                .map(|r| Ok((r.kind, Condition::new(&r.when, columns)?)))
                .collect::<Result<_, String>>()?,
            type_column: spec.type_column.as_ref().map(|column| columns.number(column)),
            types: spec.types.iter().map(|(word, kind)| (word.trim().to_lowercase(), *kind)).collect(),
            clock: Clock::new(time, columns)?,
            user: value(&spec.user, columns)?,
            session: value(&spec.session, columns)?,
            item: value(&spec.item, columns)?,
            query: value(&spec.query, columns)?,
            query_id: value(&spec.query_id, columns)?,
            value: value(&spec.value, columns)?,
            text: value(&spec.text, columns)?,
            position: value(&spec.position, columns)?,
            spec,
        };
        for nullable in [&map.user, &map.session, &map.item, &map.query_id, &map.value, &map.position] {
            columns.make_nullable(columns_of(nullable.as_ref()));
        }
        if map.id.is_empty() {
            // The same, counted apart from what items and users use: another description of an item is no other event.
            Self::names(file, spec, &mut used)?;
            map.id = used.names().iter().map(|name| columns.number(name)).collect();
        }
        Ok(map)
    }

    fn names(file: &FileSpec, spec: &InteractionSpec, used: &mut Columns) -> Result<(), String> {
        spec.type_rule.iter().try_for_each(|rule| Condition::new(&rule.when, used).map(drop))?;
        used_by(&spec.type_column, used);
        used_by(&file.time.as_ref().and_then(|time| time.column.clone()), used);
        let values = [
            &spec.user,
            &spec.session,
            &spec.item,
            &spec.query,
            &spec.query_id,
            &spec.value,
            &spec.text,
            &spec.position,
        ];
        values.into_iter().try_for_each(|spec| value(spec, used).map(drop))
    }
}

fn used_by(column: &Option<String>, used: &mut Columns) {
    column.iter().for_each(|column| {
        used.number(column);
    });
}

fn bad_id(what: &str, error: &IdError) -> Refusal {
    Refusal::new(Code::BadId, format!("{what}: {error}"))
}

impl Record<'_, '_> {
    /// A text that is there, cleaned.
    fn text(&self, value: &Option<Value>) -> Option<String> {
        let text = value.as_ref()?.of(self.row, self.content);
        Some(clean(&text).into_owned()).filter(|text| !text.is_empty())
    }

    /// A word that is there, as it is.
    fn word(&self, value: &Option<Value>) -> Option<String> {
        Some(value.as_ref()?.of(self.row, self.content).trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The text of an id; empty where there is none.
    fn id(&self, what: &str, value: &Value) -> Result<String, Refusal> {
        let text = value.of(self.row, self.content).trim().to_owned();
        if value.is_integer() && has_exponent(&text) {
            let detail = format!("{what}: `{}` is a number whose last digits a spreadsheet has cut off", clip(&text));
            return Err(Refusal::new(Code::BadId, detail));
        }
        Ok(text)
    }

    /// An id that may be absent.
    fn optional_id<T>(
        &self,
        what: &str,
        value: &Option<Value>,
        new: impl Fn(String) -> Result<T, IdError>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = value else { return Ok(None) };
        let text = self.id(what, value)?;
        if text.is_empty() {
            return Ok(None);
        }
        new(text).map(Some).map_err(|error| bad_id(what, &error))
    }

    fn number(&self, what: &str, value: &Option<Value>) -> Result<Option<f64>, Refusal> {
        let Some(text) = self.word(value) else { return Ok(None) };
        number::number(&text, self.row.decimal()).map(Some).map_err(|why| {
            let words = match why {
                NotANumber::Form => "is no number",
                NotANumber::Ambiguous => "may have a decimal comma or thousands; `decimal` in the preset tells",
            };
            Refusal::new(Code::BadNumber, format!("{what}: `{}` {words}", clip(&text)))
        })
    }

    /// The price and the currency beside it. An unreadable price is left out; the item is kept.
    fn price(&mut self, map: &ItemMap<'_>) -> Option<number::Price> {
        let text = self.word(&map.price)?;
        let remark = match (number::price(&text, self.row.decimal()), &map.spec.currency) {
            (Ok(price), Some(declared)) if price.currency.is_some_and(|code| code != declared) => {
                Remark::OtherCurrency { declared: declared.clone() }
            }
            (Ok(price), _) => return Some(price),
            (Err(NotANumber::Form), _) => Remark::NoPrice,
            (Err(NotANumber::Ambiguous), _) => Remark::AmbiguousPrice,
        };
        self.remarks.push((remark, clip(&text)));
        None
    }

    /// A flag of an item; `None` where nothing is said, or by an unknown word.
    fn flag(&mut self, field: &'static str, value: &Option<Value>, read: fn(&str) -> Option<bool>) -> Option<bool> {
        let word = self.word(value)?;
        let flag = read(&word);
        if flag.is_none() {
            self.remarks.push((Remark::UnknownFlag { field }, clip(&word)));
        }
        flag
    }

    /// The attributes of which a record says something.
    fn declared(&self, attributes: &[(&str, Value)]) -> BTreeMap<String, String> {
        let text = |value: &Value| clean(&value.of(self.row, self.content)).into_owned();
        let declared = attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
        declared.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The item of a record, from this record alone; the title is empty if it has none.
    ///
    /// # Errors
    /// `bad-id`.
    pub(super) fn item(&mut self, map: &ItemMap<'_>) -> Result<Item, Refusal> {
        let id = ItemId::new(self.id("item", &map.id)?).map_err(|error| bad_id("item", &error))?;
        let [title, description, brand, seller] = &map.texts;
        let mut item = Item::new(id, self.text(title).unwrap_or_default());
        item.description = self.text(description);
        item.brand = self.text(brand);
        item.seller = self.text(seller);
        for level in &map.category {
            item.category.extend(level.parts(self.row, self.content));
        }
        if let Some(price) = self.price(map) {
            item.price = Some(price.amount);
            item.currency = map.spec.currency.clone().or_else(|| price.currency.map(str::to_owned));
        }
        item.attributes = self.declared(&map.attributes);
        item.in_stock = self.flag("in_stock", &map.in_stock, stock::in_stock).unwrap_or(true);
        item.hidden = self.flag("hidden", &map.hidden, stock::yes_or_no).unwrap_or(false);
        Ok(item)
    }

    /// The user of a record.
    ///
    /// # Errors
    /// `bad-id`.
    pub(super) fn user(&self, map: &UserMap<'_>) -> Result<User, Refusal> {
        let id = UserId::new(self.id("user", &map.id)?).map_err(|error| bad_id("user", &error))?;
        Ok(User { attributes: self.declared(&map.attributes), ..User::new(id) })
    }

    /// The type of a record; `None` where the preset does not map its word.
    fn kind(&mut self, map: &InteractionMap<'_>) -> Option<InteractionType> {
        if let Some((kind, _)) = map.rules.iter().find(|(_, when)| when.holds(self.row)) {
            return Some(*kind);
        }
        let word = map.type_column.map(|column| self.row.get(column));
        let mapped = word.and_then(|word| {
            let exact = map.spec.types.get(word);
            exact.or_else(|| map.types.get(&word.to_lowercase())).copied()
        });
        let kind = mapped.or(map.spec.kind);
        if let (None, Some(word), Some(column)) = (kind, word, &map.spec.type_column) {
            self.remarks.push((Remark::UnmappedType { column: column.clone() }, clip(word)));
        }
        kind
    }

    /// The interaction of a record; `None` where the preset does not map its type. `source` is the preset's name.
    ///
    /// # Errors
    /// `bad-id`, `bad-time` or `bad-number`, with the text that was read.
    pub(super) fn interaction(
        &mut self,
        map: &mut InteractionMap<'_>,
        source: &str,
    ) -> Result<Option<Interaction>, Refusal> {
        let Some(kind) = self.kind(map) else { return Ok(None) };
        let moment = map.clock.of(self.row)?;
        if let Some(unit) = moment.other_unit {
            let (column, declared) = (map.clock.column_name().to_owned(), map.clock.declared().to_owned());
            let text = map.clock.text(self.row);
            self.remarks.push((Remark::TimeUnit { column, read: unit.name(), declared }, clip(text)));
        }
        let position = match self.number("position", &map.position)? {
            None => None,
            Some(rank) if (1.0..4_294_967_296.0).contains(&rank) => Some(rank as u32),
            Some(rank) => {
                let detail = format!("position: {rank} is no rank, they count from 1");
                return Err(Refusal::new(Code::BadNumber, detail));
            }
        };
        let id = InteractionId::new(format!("{source}:{}", self.content)).map_err(|error| bad_id("id", &error))?;
        Ok(Some(Interaction {
            id: Some(id),
            user: self.optional_id("user", &map.user, UserId::new)?,
            session: self.optional_id("session", &map.session, SessionId::new)?,
            kind,
            item: self.optional_id("item", &map.item, ItemId::new)?,
            query: self.text(&map.query),
            query_id: self.word(&map.query_id),
            value: self.number("value", &map.value)?,
            text: self.text(&map.text),
            position,
            at: moment.at,
            source: Some(source.to_owned()),
        }))
    }
}
