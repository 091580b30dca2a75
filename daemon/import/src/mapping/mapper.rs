//! Maps records to documents by one section of a preset.

use std::sync::Arc;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item, User};
use rustc_hash::FxHashMap;

use super::anonymise::Anonymiser;
use super::columns::Columns;
use super::condition::Condition;
use super::documents::{InteractionMap, ItemMap, Record, UserMap};
use super::fill::FillDown;
use super::null::NullWords;
use super::remarks::{About, Remarks};
use super::row::{CellFormat, Row};
use crate::preset::FileSpec;
use crate::records::Fields;
use crate::validate::{Refusal, validate_interaction, validate_item, validate_user};

/// The rule that skips records whose type the preset does not map.
const OTHER_TYPE: &str = "type not mapped";

/// The documents of a record.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    pub(crate) item: Option<Item>,
    pub(crate) user: Option<User>,
    pub(crate) interaction: Option<Interaction>,
}

/// The result of mapping a record.
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
    format: Arc<CellFormat>,
    fill: Option<FillDown>,
    anonymiser: Option<Anonymiser<'a>>,
    remarks: Remarks,
    skip: Vec<(&'a str, Condition)>,
    item: Option<ItemMap<'a>>,
    user: Option<UserMap<'a>>,
    interaction: Option<InteractionMap<'a>>,
    source: String,
    /// The clock of this machine, for times in the future.
    now: Timestamp,
    /// Number of records of each content so far, by 64 bits of its hash. If two contents share a hash, the second gets
    /// number 2 instead of 1, the same at each reading.
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
        let fill = spec.fill_down.as_ref().map(|fill| FillDown::new(fill, &mut columns));
        let anonymiser = Anonymiser::new(spec, &mut columns)?;
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
        let null = NullWords::new(spec.null_words.as_ref());
        let format = CellFormat { nullable: columns.nullable().to_vec(), null, decimal: spec.decimal };
        Ok(Self {
            spec,
            columns,
            format: Arc::new(format),
            fill,
            anonymiser,
            remarks: Remarks::default(),
            skip,
            item,
            user,
            interaction,
            source: name.to_owned(),
            now: Timestamp::now(),
            seen: FxHashMap::default(),
        })
    }

    /// The columns it uses, in the order of their numbers.
    pub(crate) fn columns(&self) -> &[String] {
        self.columns.names()
    }

    /// Corrected and dropped values, for the report.
    pub(crate) fn notes(&self, about: About) -> Vec<String> {
        self.remarks.notes(about)
    }

    /// Maps the record that begins in a line; `places` are the positions of the used columns among its fields.
    pub(crate) fn map(&mut self, fields: &Fields, places: &[Option<usize>], line: u64) -> Mapped<'a> {
        let Some(mut fill) = self.fill.take() else { return self.map_filled(fields, places, line) };
        let all: Vec<Option<usize>> = (0..places.len()).map(Some).collect();
        let mapped = self.map_filled(fill.fill(fields, places), &all, line);
        self.fill = Some(fill);
        mapped
    }

    fn map_filled(&mut self, fields: &Fields, places: &[Option<usize>], line: u64) -> Mapped<'a> {
        let Some(mut anonymiser) = self.anonymiser.take() else { return self.map_row(fields, places, line) };
        let all: Vec<Option<usize>> = (0..places.len()).map(Some).collect();
        let mapped = self.map_row(anonymiser.anonymise(fields, places), &all, line);
        self.anonymiser = Some(anonymiser);
        mapped
    }

    fn map_row(&mut self, fields: &Fields, places: &[Option<usize>], line: u64) -> Mapped<'a> {
        // The row borrows the format while the rest of the mapper changes.
        let format = Arc::clone(&self.format);
        let row = Row::new(fields, places, &format);
        if let Some((rule, _)) = self.skip.iter().find(|(_, when)| when.holds(&row)) {
            return Mapped::Skipped(rule);
        }
        let content = self.content(&row);
        let mut record = Record { row: &row, content: &content, remarks: Vec::new() };
        let made = self.make(&mut record);
        // Of a record without documents only its type is worth a remark.
        let is_kept = matches!(made, Ok(Some(_)));
        for (remark, word) in record.remarks.into_iter().filter(|(remark, _)| is_kept || remark.is_unmapped_type()) {
            self.remarks.add(remark, &word, line);
        }
        match made {
            Ok(Some(doc)) => Mapped::Doc(doc),
            Ok(None) => Mapped::Skipped(OTHER_TYPE),
            Err(refusal) => Mapped::Refused(refusal),
        }
    }

    /// The documents of a record that no rule skips; `None` if its type is not mapped. A bad record is refused even if
    /// another record would provide the chosen value.
    fn make(&mut self, record: &mut Record<'_, '_>) -> Result<Option<Box<Doc>>, Refusal> {
        let mut doc = Box::new(Doc::default());
        if let Some(map) = &self.item {
            let item = record.item(map)?;
            validate_item(&item, self.now)?;
            doc.item = Some(item);
        }
        if let Some(map) = &self.user {
            let user = record.user(map)?;
            validate_user(&user, self.now)?;
            doc.user = Some(user);
        }
        if let Some(map) = &mut self.interaction {
            let Some(interaction) = record.interaction(map, &self.source)? else { return Ok(None) };
            validate_interaction(&interaction, self.now)?;
            doc.interaction = Some(interaction);
        }
        Ok(Some(doc))
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
