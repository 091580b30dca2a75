//! The documents of a record: which columns of a section give which field of an item, a shopper and an interaction.

use std::collections::BTreeMap;

use mercer_shared::ids::{IdError, InteractionId, ItemId, SessionId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::wire::{Consent, Interaction, InteractionType, Item, User};

use super::time::Clock;
use super::{Columns, Condition, Value, clean};
use crate::preset::{FileSpec, InteractionSpec, ItemSpec, UserSpec, ValueSpec};
use crate::records::Row;
use crate::validate::{Refusal, clip};

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

/// A shopper's fields.
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

fn attributes<'a>(
    specs: &'a BTreeMap<String, ValueSpec>,
    columns: &mut Columns,
) -> Result<Vec<(&'a str, Value)>, String> {
    specs.iter().map(|(name, spec)| Ok((name.as_str(), Value::new(spec, columns)?))).collect()
}

impl<'a> ItemMap<'a> {
    pub(super) fn new(spec: &'a ItemSpec, columns: &mut Columns) -> Result<Self, String> {
        Ok(Self {
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
        })
    }
}

impl<'a> UserMap<'a> {
    pub(super) fn new(spec: &'a UserSpec, columns: &mut Columns) -> Result<Self, String> {
        Ok(Self { attributes: attributes(&spec.attributes, columns)?, id: Value::new(&spec.id, columns)? })
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
    (Code::BadId, format!("{what}: {error}"))
}

/// A text that is there, cleaned.
fn text(value: &Option<Value>, row: &Row<'_>, content: &str) -> Option<String> {
    let text = value.as_ref()?.of(row, content);
    Some(clean(&text).into_owned()).filter(|text| !text.is_empty())
}

/// A word that is there, as it is.
fn word(value: &Option<Value>, row: &Row<'_>, content: &str) -> Option<String> {
    Some(value.as_ref()?.of(row, content).trim().to_owned()).filter(|text| !text.is_empty())
}

fn number(what: &str, value: &Option<Value>, row: &Row<'_>, content: &str) -> Result<Option<f64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let text = value.of(row, content);
    if text.trim().is_empty() {
        return Ok(None);
    }
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => Err((Code::BadNumber, format!("{what}: `{}` is no number", clip(&text)))),
    }
}

fn flag(value: &Option<Value>, row: &Row<'_>, content: &str, otherwise: bool) -> bool {
    match word(value, row, content).map(|word| word.to_ascii_lowercase()).as_deref() {
        None => otherwise,
        Some("0" | "false" | "no") => false,
        Some(_) => true,
    }
}

/// The attributes of which a record says something.
fn declared(attributes: &[(&str, Value)], row: &Row<'_>, content: &str) -> BTreeMap<String, String> {
    let said = attributes.iter().map(|(name, value)| ((*name).to_owned(), clean(&value.of(row, content)).into_owned()));
    said.filter(|(_, value)| !value.is_empty()).collect()
}

/// The item of a record, with what this record alone says; an empty title where it says none.
pub(super) fn item(map: &ItemMap<'_>, row: &Row<'_>, content: &str) -> Result<Item, Refusal> {
    let id = ItemId::new(map.id.of(row, content).trim()).map_err(|error| bad_id("item", &error))?;
    let [title, description, brand, seller] = &map.texts;
    let mut item = Item::new(id, text(title, row, content).unwrap_or_default());
    item.description = text(description, row, content);
    item.brand = text(brand, row, content);
    item.seller = text(seller, row, content);
    for level in &map.category {
        item.category.extend(level.parts(row, content));
    }
    item.price = number("price", &map.price, row, content)?;
    item.currency = map.spec.currency.clone().filter(|_| item.price.is_some());
    item.attributes = declared(&map.attributes, row, content);
    item.in_stock = flag(&map.in_stock, row, content, true);
    item.hidden = flag(&map.hidden, row, content, false);
    Ok(item)
}

/// The shopper of a record.
pub(super) fn user(map: &UserMap<'_>, row: &Row<'_>, content: &str) -> Result<User, Refusal> {
    let id = UserId::new(map.id.of(row, content).trim()).map_err(|error| bad_id("user", &error))?;
    Ok(User { id, attributes: declared(&map.attributes, row, content), consent: Consent::default() })
}

/// The interaction of a record; `None` where the preset does not map its type.
pub(super) fn interaction(
    map: &mut InteractionMap<'_>,
    row: &Row<'_>,
    content: &str,
    source: &str,
) -> Result<Option<Interaction>, Refusal> {
    let exception = map.rules.iter().find(|(_, when)| when.holds(row)).map(|(kind, _)| *kind);
    let mapped = || map.type_column.and_then(|column| map.spec.types.get(row.get(column)).copied());
    let Some(kind) = exception.or_else(mapped).or(map.spec.kind) else { return Ok(None) };
    let at = map.clock.of(row)?;
    let position = number("position", &map.position, row, content)?;
    let position = match position {
        None => None,
        Some(rank) if (1.0..4_294_967_296.0).contains(&rank) => Some(rank as u32),
        Some(rank) => return Err((Code::BadNumber, format!("position: {rank} is no rank, they count from 1"))),
    };
    let id = InteractionId::new(format!("{source}:{content}")).map_err(|error| bad_id("id", &error))?;
    Ok(Some(Interaction {
        id: Some(id),
        user: word(&map.user, row, content).map(UserId::new).transpose().map_err(|error| bad_id("user", &error))?,
        session: word(&map.session, row, content)
            .map(SessionId::new)
            .transpose()
            .map_err(|error| bad_id("session", &error))?,
        kind,
        item: word(&map.item, row, content).map(ItemId::new).transpose().map_err(|error| bad_id("item", &error))?,
        query: text(&map.query, row, content),
        query_id: word(&map.query_id, row, content),
        value: number("value", &map.value, row, content)?,
        text: text(&map.text, row, content),
        position,
        at,
        source: Some(source.to_owned()),
    }))
}
