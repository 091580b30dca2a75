//! From a record to documents, as a preset's section says.

use std::collections::BTreeMap;

use mercer_shared::ids::{InteractionId, ItemId, SessionId, UserId};
use mercer_shared::problem::Code;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Interaction, Item, User};
use rustc_hash::FxHashMap;

use crate::preset::{FileSpec, InteractionSpec, ItemSpec, TitleChoice, UserSpec};
use crate::validate::Refusal;

/// Reads records of one section.
pub struct Mapper<'a> {
    /// The section.
    pub spec: &'a FileSpec,
    places: FxHashMap<String, usize>,
    zone: jiff::tz::TimeZone,
    source: String,
    /// How often a line with this content was seen in this file.
    seen: FxHashMap<[u8; 16], u32>,
}

/// Entities decoded, control characters and runs of spaces made one space.
#[must_use]
pub fn clean(text: &str) -> String {
    let decoded = html_escape::decode_html_entities(text);
    let mut out = String::with_capacity(decoded.len());
    for word in decoded.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn age_band(years: &str) -> String {
    match years.trim().parse::<u32>() {
        Ok(0..=17) => "under 18".to_owned(),
        Ok(18..=24) => "18-24".to_owned(),
        Ok(age @ 25..=64) => format!(
            "{0}-{1}",
            age / 10 * 10 + 5 * u32::from(age % 10 >= 5),
            age / 10 * 10 + 4 + 5 * u32::from(age % 10 >= 5)
        ),
        Ok(_) => "65 and over".to_owned(),
        Err(_) => years.trim().to_owned(),
    }
}

impl<'a> Mapper<'a> {
    /// A mapper of a section; `name` is the preset's and becomes the source of what is read.
    ///
    /// # Errors
    /// `bad-config` for a zone that does not exist.
    pub fn new(name: &str, spec: &'a FileSpec) -> Result<Self, Refusal> {
        let zone = spec.time.as_ref().and_then(|time| time.zone.as_deref()).unwrap_or("UTC");
        let zone = jiff::tz::TimeZone::get(zone).map_err(|error| (Code::BadConfig, format!("zone {zone}: {error}")))?;
        let places = spec.used_columns().into_iter().enumerate().map(|(place, column)| (column, place)).collect();
        Ok(Self { spec, places, zone, source: name.to_owned(), seen: FxHashMap::default() })
    }

    fn cell<'r>(&self, row: &'r [String], column: &str) -> &'r str {
        self.places.get(column).and_then(|place| row.get(*place)).map_or("", String::as_str)
    }

    fn optional<'r>(&self, row: &'r [String], column: Option<&String>) -> Option<&'r str> {
        column.map(|column| self.cell(row, column).trim()).filter(|text| !text.is_empty())
    }

    /// The rule that leaves the record out, if one does.
    #[must_use]
    pub fn skipped(&self, row: &[String]) -> Option<&'a str> {
        let rule = self.spec.skip.iter().find(|rule| rule.when.holds(self.cell(row, &rule.when.column)))?;
        Some(&rule.rule)
    }

    fn number(&self, row: &[String], column: Option<&String>) -> Result<Option<f64>, Refusal> {
        match self.optional(row, column) {
            None => Ok(None),
            Some(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err((Code::BadNumber, format!("`{text}` is no number"))),
            },
        }
    }

    fn moment(&self, row: &[String]) -> Result<Timestamp, Refusal> {
        let Some(spec) = &self.spec.time else { return Err((Code::BadTime, "the preset names no time".to_owned())) };
        if let Some(fixed) = &spec.fixed {
            return fixed.parse().map_err(|error: mercer_shared::time::TimeError| (Code::BadTime, error.to_string()));
        }
        let text = self.optional(row, spec.column.as_ref()).unwrap_or("");
        let bad = || (Code::BadTime, format!("`{text}` is no time of the form {}", spec.format));
        let millis = match spec.format.as_str() {
            "unix" => text.parse::<f64>().ok().filter(|s| s.is_finite()).map(|s| (s * 1e3) as i64).ok_or_else(bad)?,
            "unix_ms" => text.parse::<i64>().map_err(|_| bad())?,
            "rfc3339" => return text.parse().map_err(|_| bad()),
            format => {
                let local = jiff::civil::DateTime::strptime(format, text)
                    .or_else(|_| jiff::civil::Date::strptime(format, text).map(|date| date.at(0, 0, 0, 0)))
                    .map_err(|_| bad())?;
                self.zone.to_timestamp(local).map_err(|_| bad())?.as_millisecond()
            }
        };
        Timestamp::from_millis(millis).map_err(|error| (Code::BadTime, error.to_string()))
    }

    /// The item of a record, with its title as the record has it; the choice between titles is the caller's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn item(&self, spec: &ItemSpec, row: &[String]) -> Result<Item, Refusal> {
        let id = ItemId::new(self.cell(row, &spec.id).trim()).map_err(|error| (Code::BadId, error.to_string()))?;
        let says = spec.title_unless.iter().all(|when| !when.holds(self.cell(row, &when.column)));
        let title = self.optional(row, spec.title.as_ref()).filter(|_| says).map(clean).unwrap_or_default();
        let mut item = Item::new(id, title);
        item.description = self.optional(row, spec.description.as_ref()).map(clean);
        item.brand = self.optional(row, spec.brand.as_ref()).map(clean);
        for column in &spec.category {
            let path = self.cell(row, column);
            match &spec.category_separator {
                Some(separator) => item.category.extend(path.split(separator.as_str()).map(clean)),
                None => item.category.push(clean(path)),
            }
        }
        item.category.extend(spec.category_flags.iter().filter(|flag| self.cell(row, flag).trim() == "1").cloned());
        item.category.retain(|level| !level.is_empty());
        item.price = self.number(row, spec.price.as_ref())?.filter(|price| *price >= 0.0);
        item.currency = spec.currency.clone().filter(|_| item.price.is_some());
        for (name, column) in &spec.attributes {
            if let Some(value) = self.optional(row, Some(column)) {
                item.attributes.insert(name.clone(), clean(value));
            }
        }
        Ok(item)
    }

    /// The user of a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn user(&self, spec: &UserSpec, row: &[String]) -> Result<User, Refusal> {
        let id = UserId::new(self.cell(row, &spec.id).trim()).map_err(|error| (Code::BadId, error.to_string()))?;
        let mut attributes = BTreeMap::new();
        for (name, column) in &spec.attributes {
            let Some(value) = self.optional(row, Some(column)) else { continue };
            let word = spec.words.get(name).and_then(|words| words.get(value)).cloned();
            let word =
                word.unwrap_or_else(|| if spec.age_bands.contains(name) { age_band(value) } else { clean(value) });
            attributes.insert(name.clone(), word);
        }
        Ok(User { id, attributes, consent: Default::default() })
    }

    /// The interaction of a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn interaction(&mut self, spec: &InteractionSpec, row: &[String]) -> Result<Interaction, Refusal> {
        let exception = spec.type_rule.iter().find(|rule| rule.when.holds(self.cell(row, &rule.when.column)));
        let kind = match (exception, &spec.type_column, spec.kind) {
            (Some(rule), ..) => rule.kind,
            (None, Some(column), _) => {
                let word = self.cell(row, column).trim();
                *spec.types.get(word).ok_or_else(|| (Code::WrongType, format!("`{word}` is no type of this preset")))?
            }
            (None, None, Some(kind)) => kind,
            (None, None, None) => return Err((Code::BadConfig, "the preset names no type".to_owned())),
        };
        let at = self.moment(row)?;
        let bad_id = |error: mercer_shared::ids::IdError| (Code::BadId, error.to_string());
        let user = self.optional(row, spec.user.as_ref()).map(UserId::new).transpose().map_err(bad_id)?;
        let session = self.optional(row, spec.session.as_ref()).map(SessionId::new).transpose().map_err(bad_id)?;
        let item = self.optional(row, spec.item.as_ref()).map(ItemId::new).transpose().map_err(bad_id)?;
        let position = self.number(row, spec.position.as_ref())?.filter(|p| *p >= 1.0).map(|p| p as u32);
        let value = self.number(row, spec.value.as_ref())?.map(f64::abs);
        let id = self.name(spec, row)?;
        Ok(Interaction {
            id: Some(id),
            user,
            session,
            kind,
            item,
            query: self.optional(row, spec.query.as_ref()).map(clean),
            query_id: self.optional(row, spec.query_id.as_ref()).map(str::to_owned),
            value,
            text: self.optional(row, spec.text.as_ref()).map(clean),
            position,
            at,
            source: Some(self.source.clone()),
        })
    }

    /// Names a record by its whole content and its number among equals, so that the same file read again names it the same and
    /// two equal lines are two events.
    fn name(&mut self, spec: &InteractionSpec, row: &[String]) -> Result<InteractionId, Refusal> {
        let mut hasher = blake3::Hasher::new();
        for cell in row {
            hasher.update(&(cell.len() as u64).to_le_bytes());
            hasher.update(cell.as_bytes());
        }
        let mut hash = [0u8; 16];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let number = self.seen.entry(hash).or_insert(0);
        *number += 1;
        let readable: Vec<&str> = spec
            .id
            .iter()
            .map(|column| self.places.get(column).and_then(|p| row.get(*p)).map_or("", |c| c.trim()))
            .collect();
        let mut readable: String = readable.join("/").chars().filter(|c| !c.is_control()).collect();
        while readable.len() > 120 {
            readable.pop();
        }
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        InteractionId::new(format!("{}:{readable}:{hash}:{number}", self.source))
            .map_err(|error| (Code::BadId, error.to_string()))
    }
}

/// Items gathered from many records.
#[derive(Default)]
pub struct ItemGathering {
    items: Vec<Item>,
    places: FxHashMap<ItemId, usize>,
    titles: Vec<FxHashMap<String, (u32, u32)>>,
}

impl ItemGathering {
    /// Takes in what a record says of an item. Later records win, except for the title.
    pub fn add(&mut self, item: Item, choice: TitleChoice) {
        let title = item.title.clone();
        let place = match self.places.get(&item.id) {
            Some(&place) => {
                let known = &mut self.items[place];
                let earlier = std::mem::take(&mut known.title);
                let price = item.price.or(known.price);
                let currency = item.currency.clone().or_else(|| known.currency.take());
                *known = item;
                known.price = price;
                known.currency = currency;
                let keep = title.is_empty() || (choice == TitleChoice::First && !earlier.is_empty());
                known.title = if keep { earlier } else { title.clone() };
                place
            }
            None => {
                let place = self.items.len();
                self.places.insert(item.id.clone(), place);
                self.items.push(item);
                self.titles.push(FxHashMap::default());
                place
            }
        };
        if choice == TitleChoice::MostFrequent && !title.is_empty() {
            let order = self.titles[place].len() as u32;
            self.titles[place].entry(title).or_insert((0, order)).0 += 1;
        }
    }

    /// The items with their titles chosen; one without any is called by its id.
    #[must_use]
    pub fn finish(self, spec: &ItemSpec) -> Vec<Item> {
        let mut items = self.items;
        for (item, titles) in items.iter_mut().zip(self.titles) {
            if let Some((title, _)) = titles.into_iter().max_by_key(|(_, (count, order))| (*count, u32::MAX - order)) {
                item.title = title;
            }
            if item.title.is_empty() {
                item.title = format!("{}{}", spec.title_fallback, item.id);
            }
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        assert_eq!(clean("  Salt &amp;\tPepper \u{7} "), "Salt & Pepper");
        let spec: ItemSpec = toml::from_str("id = \"i\"\ntitle_fallback = \"Item \"").unwrap();
        let mut gathering = ItemGathering::default();
        for title in ["b", "a", "", "a"] {
            gathering.add(Item::new(ItemId::new("1").unwrap(), title), TitleChoice::MostFrequent);
        }
        gathering.add(Item::new(ItemId::new("2").unwrap(), ""), TitleChoice::MostFrequent);
        let items = gathering.finish(&spec);
        assert_eq!((items[0].title.as_str(), items[1].title.as_str()), ("a", "Item 2"));
    }

    #[test]
    fn ages() {
        assert_eq!(age_band("24"), "18-24");
        assert_eq!(age_band("25"), "25-29");
        assert_eq!(age_band("52"), "50-54");
        assert_eq!(age_band("80"), "65 and over");
    }
}
