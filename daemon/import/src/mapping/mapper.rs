//! One section of a preset, made ready: records in, documents out.

use std::collections::BTreeMap;

use mercer_shared::ids::{IdError, InteractionId, ItemId, SessionId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Consent, Interaction, InteractionType, Item, User};
use rustc_hash::FxHashMap;

use super::time::Clock;
use super::{Columns, Condition, Value, clean};
use crate::preset::{FileSpec, InteractionSpec, ItemSpec, UserSpec};
use crate::records::Row;
use crate::validate::{Refusal, clip, validate_interaction, validate_item, validate_user};

/// The rule that leaves out records whose word for the type the preset does not map.
const OTHER_TYPE: &str = "type not mapped";

/// What a record gives.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    pub(crate) item: Option<Item>,
    pub(crate) user: Option<User>,
    pub(crate) interaction: Option<Interaction>,
}

/// What becomes of a record.
pub(crate) enum Mapped<'a> {
    /// Documents.
    Doc(Box<Doc>),
    /// A rule leaves it out.
    Skipped(&'a str),
    /// It is wrong.
    Refused(Refusal),
}

/// Reads records of one section.
pub(crate) struct Mapper<'a> {
    pub(crate) spec: &'a FileSpec,
    columns: Columns,
    skip: Vec<(&'a str, Condition)>,
    item: Option<ItemMap<'a>>,
    user: Option<UserMap>,
    interaction: Option<InteractionMap<'a>>,
    source: String,
    /// The clock of this machine, for times in the future.
    now: Timestamp,
    /// How often a record of this content was seen, by 64 bits of its hash. Where two contents share one, the second is merely
    /// numbered 2 instead of 1, always so for the same file.
    seen: FxHashMap<u64, u32>,
}

struct ItemMap<'a> {
    spec: &'a ItemSpec,
    id: Value,
    texts: [Option<Value>; 4],
    category: Vec<Value>,
    price: Option<Value>,
    attributes: Vec<(&'a str, Value)>,
    in_stock: Option<Value>,
    hidden: Option<Value>,
}

struct UserMap {
    id: Value,
    attributes: Vec<(String, Value)>,
}

struct InteractionMap<'a> {
    spec: &'a InteractionSpec,
    id: Vec<usize>,
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

fn value(spec: &Option<crate::preset::ValueSpec>, columns: &mut Columns) -> Result<Option<Value>, String> {
    spec.as_ref().map(|spec| Value::new(spec, columns)).transpose()
}

impl<'a> ItemMap<'a> {
    fn new(spec: &'a ItemSpec, columns: &mut Columns) -> Result<Self, String> {
        let attributes = spec.attributes.iter().map(|(name, spec)| Ok((name.as_str(), Value::new(spec, columns)?)));
        Ok(Self {
            attributes: attributes.collect::<Result<_, String>>()?,
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

impl<'a> InteractionMap<'a> {
    fn new(file: &'a FileSpec, spec: &'a InteractionSpec, columns: &mut Columns) -> Result<Self, String> {
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

impl<'a> Mapper<'a> {
    /// A mapper of a section; `name` is the preset's and becomes the source of what is read.
    ///
    /// # Errors
    /// What in the section makes no sense.
    pub(crate) fn new(name: &str, spec: &'a FileSpec) -> Result<Self, String> {
        let mut columns = Columns::default();
        let skip = spec.skip.iter().map(|rule| Ok((rule.rule.as_str(), Condition::new(&rule.when, &mut columns)?)));
        let skip = skip.collect::<Result<_, String>>()?;
        let item = spec.item.as_ref().map(|item| ItemMap::new(item, &mut columns)).transpose()?;
        let user = match &spec.user {
            None => None,
            Some(UserSpec { id, attributes, .. }) => {
                let attributes =
                    attributes.iter().map(|(name, spec)| Ok((name.clone(), Value::new(spec, &mut columns)?)));
                let attributes = attributes.collect::<Result<_, String>>()?;
                Some(UserMap { id: Value::new(id, &mut columns)?, attributes })
            }
        };
        let interaction = spec.interaction.as_ref().map(|i| InteractionMap::new(spec, i, &mut columns)).transpose()?;
        if item.is_none() && user.is_none() && interaction.is_none() {
            return Err("it gives neither items nor users nor interactions".to_owned());
        }
        if !spec.columns.is_empty()
            && let Some(unknown) =
                columns.names().iter().chain(&spec.requires).find(|name| !spec.columns.contains(name))
        {
            return Err(format!("it uses `{unknown}`, which is none of its columns"));
        }
        if spec.encoding.as_ref().is_some_and(|label| encoding_rs::Encoding::for_label(label.as_bytes()).is_none()) {
            return Err("its encoding has no such WHATWG label".to_owned());
        }
        if spec.delimiter.as_ref().is_some_and(String::is_empty) {
            return Err("its delimiter is empty".to_owned());
        }
        let now = Timestamp::now();
        Ok(Self {
            spec,
            columns,
            skip,
            item,
            user,
            interaction,
            source: name.to_owned(),
            now,
            seen: FxHashMap::default(),
        })
    }

    /// The columns it uses, in the order of their numbers.
    pub(crate) fn columns(&self) -> &[String] {
        self.columns.names()
    }

    /// What becomes of a record.
    pub(crate) fn map(&mut self, row: &Row<'_>) -> Mapped<'a> {
        if let Some((rule, _)) = self.skip.iter().find(|(_, when)| when.holds(row)) {
            return Mapped::Skipped(rule);
        }
        let content = self.content(row);
        let mut doc = Box::new(Doc::default());
        let now = self.now;
        if let Some(map) = &self.item {
            match item(map, row, &content) {
                // What is chosen among many records may be better than this one, but a bad record is bad.
                Ok(item) => match validate_item(&item, now) {
                    Ok(()) => doc.item = Some(item),
                    Err(refusal) => return Mapped::Refused(refusal),
                },
                Err(refusal) => return Mapped::Refused(refusal),
            }
        }
        if let Some(map) = &self.user {
            match user(map, row, &content).and_then(|user| validate_user(&user, now).map(|()| user)) {
                Ok(user) => doc.user = Some(user),
                Err(refusal) => return Mapped::Refused(refusal),
            }
        }
        if let Some(map) = &mut self.interaction {
            match interaction(map, row, &content, &self.source) {
                Ok(None) => return Mapped::Skipped(OTHER_TYPE),
                Ok(Some(done)) => match validate_interaction(&done, now) {
                    Ok(()) => doc.interaction = Some(done),
                    Err(refusal) => return Mapped::Refused(refusal),
                },
                Err(refusal) => return Mapped::Refused(refusal),
            }
        }
        Mapped::Doc(doc)
    }

    /// Names a record by its content and, unless the preset says that it is unique, by its number among equals: the same file
    /// read again names it the same, and two equal lines of one order are two events.
    fn content(&mut self, row: &Row<'_>) -> String {
        let Some(map) = &self.interaction else { return String::new() };
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.spec.name.as_bytes());
        for column in &map.id {
            let value = row.get(*column);
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value.as_bytes());
        }
        let hash = hasher.finalize();
        let hash = hash.as_bytes();
        let mut name = String::with_capacity(28);
        for byte in &hash[..12] {
            name.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            name.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        if !map.spec.unique {
            let mut key = [0u8; 8];
            key.copy_from_slice(&hash[..8]);
            let number = self.seen.entry(u64::from_le_bytes(key)).or_insert(0);
            *number += 1;
            if *number > 1 {
                name = format!("{name}.{number}");
            }
        }
        name
    }
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

/// The item of a record, with what this record alone says; an empty title where it says none.
fn item(map: &ItemMap<'_>, row: &Row<'_>, content: &str) -> Result<Item, Refusal> {
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
    for (name, value) in &map.attributes {
        let value = clean(&value.of(row, content)).into_owned();
        if !value.is_empty() {
            item.attributes.insert((*name).to_owned(), value);
        }
    }
    item.in_stock = flag(&map.in_stock, row, content, true);
    item.hidden = flag(&map.hidden, row, content, false);
    Ok(item)
}

fn user(map: &UserMap, row: &Row<'_>, content: &str) -> Result<User, Refusal> {
    let id = UserId::new(map.id.of(row, content).trim()).map_err(|error| bad_id("user", &error))?;
    let mut attributes = BTreeMap::new();
    for (name, value) in &map.attributes {
        let value = clean(&value.of(row, content)).into_owned();
        if !value.is_empty() {
            attributes.insert(name.clone(), value);
        }
    }
    Ok(User { id, attributes, consent: Consent::default() })
}

/// The interaction of a record; `None` where the preset does not map its type.
fn interaction(
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
