//! One section of a preset, made ready: records in, documents out.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item, User};
use rustc_hash::FxHashMap;

use super::documents::{InteractionMap, ItemMap, UserMap, interaction, item, user};
use super::{Columns, Condition};
use crate::preset::FileSpec;
use crate::records::Row;
use crate::validate::{Refusal, validate_interaction, validate_item, validate_user};

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
    user: Option<UserMap<'a>>,
    interaction: Option<InteractionMap<'a>>,
    source: String,
    /// The clock of this machine, for times in the future.
    now: Timestamp,
    /// How often a record of this content was seen, by 64 bits of its hash. Where two contents share one, the second is merely
    /// numbered 2 instead of 1, always so for the same file.
    seen: FxHashMap<u64, u32>,
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
        let user = spec.user.as_ref().map(|user| UserMap::new(user, &mut columns)).transpose()?;
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
