//! JSON documents as records. Columns are dotted paths, and every document chooses its section of the preset by the paths it
//! has.

use std::collections::VecDeque;

use mercer_shared::problem::{Code, Problem};
use serde_json::Value;

use super::documents::{Document, Documents, Layout, Place};
use super::fields::Fields;
use super::{RecordPlace, Step};
use crate::document::parse_line;
use crate::preset::{FileSpec, Preset};
use crate::source::Source;
use crate::validate::Refusal;

/// Most members of lists that one document may make records or rows of.
const MAX_MEMBERS: usize = 10_000;

/// Records of JSON.
pub(super) struct Json {
    sections: Vec<Section>,
    documents: Documents,
    waiting: VecDeque<(RecordPlace, Value)>,
    rows: Vec<Fields>,
}

/// A section prepared for reading documents.
struct Section {
    name: String,
    requires: Vec<Path>,
    used: Vec<Path>,
    records: Option<Path>,
    /// Lists with a member for each row.
    explode: Vec<Path>,
    /// For each used column the list it is in, if it is in one.
    inside: Vec<Option<MemberPath>>,
}

/// A column inside the members of a list.
struct MemberPath {
    /// Number of the list in `explode`.
    list: usize,
    /// Path inside a member.
    path: Vec<String>,
}

/// A column: its path, then the paths of its aliases.
struct Path(Vec<Vec<String>>);

impl Path {
    fn new(file: &FileSpec, column: &str) -> Self {
        let aliases = file.aliases.get(column).map(Vec::as_slice).unwrap_or_default();
        let names = std::iter::once(column).chain(aliases.iter().map(String::as_str));
        Self(names.map(|name| name.split('.').map(str::to_owned).collect()).collect())
    }

    /// The value there, if it is not null.
    fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().find_map(|path| at(value, path).filter(|value| !value.is_null()))
    }

    /// Whether the document has the key, be it with null.
    fn is_in(&self, value: &Value) -> bool {
        self.0.iter().any(|path| at(value, path).is_some())
    }

    fn name(&self) -> String {
        self.0[0].join(".")
    }
}

fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |at, key| at.get(key))
}

impl Section {
    fn new(file: &FileSpec, used: &[String]) -> Self {
        let path = |column: &String| Path::new(file, column);
        Self {
            name: file.name.clone(),
            requires: file.requires.iter().map(path).collect(),
            used: used.iter().map(path).collect(),
            records: file.records.as_ref().map(path),
            explode: file.explode.iter().map(path).collect(),
            inside: used.iter().map(|column| MemberPath::new(file, column)).collect(),
        }
    }

    fn lacking(&self, value: &Value) -> Vec<&Path> {
        self.requires.iter().filter(|path| !path.is_in(value)).collect()
    }
}

impl MemberPath {
    fn new(file: &FileSpec, column: &str) -> Option<Self> {
        file.explode.iter().enumerate().find_map(|(list, name)| match column.strip_prefix(name.as_str())? {
            "" => Some(Self { list, path: Vec::new() }),
            rest => Some(Self { list, path: rest.strip_prefix('.')?.split('.').map(str::to_owned).collect() }),
        })
    }
}

/// The section of a document: the first whose required paths all have a value, else the first whose keys all exist. A
/// key with null selects the section and is an empty cell.
fn section_of(sections: &[Section], value: &Value) -> Result<usize, Refusal> {
    let whole = |section: &Section| section.requires.iter().all(|path| path.of(value).is_some());
    let keyed = |section: &Section| section.lacking(value).is_empty();
    if let Some(number) = sections.iter().position(whole).or_else(|| sections.iter().position(keyed)) {
        return Ok(number);
    }
    // The nearest section: with the fewest missing keys; of equals the one with the most present keys.
    let nearest = sections.iter().min_by_key(|section| {
        let lacking = section.lacking(value).len();
        (lacking, std::cmp::Reverse(section.requires.len() - lacking))
    });
    let detail = match nearest {
        Some(nearest) => {
            let names: Vec<String> = nearest.lacking(value).iter().map(|path| format!("`{}`", path.name())).collect();
            let what = if value.is_object() { "has no" } else { "is no object and has no" };
            format!("the document {what} {}, which section `{}` of the preset needs", names.join(", "), nearest.name)
        }
        None => "the preset has no section".to_owned(),
    };
    Err(Refusal::new(Code::WrongType, detail))
}

impl Json {
    pub(super) fn new(preset: &Preset, used: &[Vec<String>], mut source: Source, layout: Layout) -> Self {
        let sections = preset.file.iter().zip(used).map(|(file, used)| Section::new(file, used)).collect();
        let documents = Documents::new(source.take_reader(), layout);
        Self { sections, documents, waiting: VecDeque::new(), rows: Vec::new() }
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        loop {
            if let Some((place, value)) = self.waiting.pop_front() {
                return Ok(self.record(place, &value));
            }
            let (place, value) = match self.documents.next()? {
                Document::End => return Ok(Step::End),
                Document::Bad(place, refusal) => return Ok(Step::Bad(RecordPlace::of(place), refusal)),
                Document::Text(place, bytes) => (place, parse_line::<Value>(bytes)),
            };
            match value.and_then(|value| self.unpack(place, value)) {
                Ok(()) => {}
                Err(refusal) => return Ok(Step::Bad(RecordPlace::of(place), refusal)),
            }
        }
    }

    /// Queues the records of a document.
    fn unpack(&mut self, place: Place, value: Value) -> Result<(), Refusal> {
        let here = RecordPlace::of(place);
        match self.sections.iter().find_map(|section| section.records.as_ref()?.of(&value)) {
            Some(Value::Array(list)) if list.len() > MAX_MEMBERS => {
                let detail = format!("a list of {} records, at most {MAX_MEMBERS} are read", list.len());
                return Err(Refusal::new(Code::TooLong, detail));
            }
            Some(Value::Array(list)) => {
                let members = (0..).zip(list);
                self.waiting.extend(members.map(|(n, value)| (RecordPlace { member: Some(n), ..here }, value.clone())));
            }
            Some(record) => self.waiting.push_back((here, record.clone())),
            None => self.waiting.push_back((here, value)),
        }
        Ok(())
    }

    fn record(&mut self, place: RecordPlace, value: &Value) -> Step<'_> {
        let number = match section_of(&self.sections, value) {
            Ok(number) => number,
            Err(refusal) => return Step::Bad(place, refusal),
        };
        let section = &self.sections[number];
        let lists: Vec<Option<&Vec<Value>>> =
            section.explode.iter().map(|path| path.of(value).and_then(Value::as_array)).collect();
        let count = lists.iter().flatten().map(|list| list.len()).max().unwrap_or_default();
        if count > MAX_MEMBERS {
            let detail = format!("a list of {count} members, at most {MAX_MEMBERS} are read");
            return Step::Bad(place, Refusal::new(Code::TooLong, detail));
        }
        // An empty list makes one row without that value, for the preset to judge.
        self.rows.resize_with(count.max(1), Fields::default);
        for (member, row) in self.rows.iter_mut().enumerate() {
            row.clear();
            for (path, inside) in section.used.iter().zip(&section.inside) {
                let found = match inside.as_ref().map(|inside| (inside, lists[inside.list])) {
                    Some((inside, Some(list))) => list.get(member).and_then(|member| at(member, &inside.path)),
                    _ => path.of(value),
                };
                push(row, found.unwrap_or(&Value::Null));
            }
        }
        Step::Record { place, section: number, rows: &self.rows }
    }
}

/// A value as text: scalars as they are written, lists of scalars with `|` between their members, the rest as JSON.
fn push(row: &mut Fields, value: &Value) {
    let scalar = |value: &Value| match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::String(text) => row.push(text),
        Value::Array(list) => match list.iter().map(scalar).collect::<Option<Vec<String>>>() {
            Some(parts) => row.push(&parts.join("|")),
            None => row.push(&value.to_string()),
        },
        other => row.push(&scalar(other).unwrap_or_else(|| other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(document: &str) -> Result<usize, String> {
        let sections = [
            Section::new(&toml::from_str("name = \"reviews\"\nrequires = [\"user\", \"asin\", \"at\"]").unwrap(), &[]),
            Section::new(
                &toml::from_str("name = \"meta\"\nrequires = [\"asin\", \"title\", \"store.name\"]").unwrap(),
                &[],
            ),
        ];
        section_of(&sections, &serde_json::from_str(document).unwrap()).map_err(|refusal| refusal.detail)
    }

    #[test]
    fn null_is_an_empty_cell() {
        assert_eq!(choose(r#"{"user":"u","asin":"a","at":1}"#), Ok(0));
        assert_eq!(choose(r#"{"asin":"a","title":null,"store":{"name":null}}"#), Ok(1));
        let all = r#"{"user":null,"asin":"a","at":null,"title":"t","store":{"name":"s"}}"#;
        assert_eq!(choose(all), Ok(1), "values choose before keys");
    }

    #[test]
    fn a_refusal_names_the_nearest_section_and_its_columns() {
        assert_eq!(
            choose(r#"{"asin":"a","title":"t"}"#).unwrap_err(),
            "the document has no `store.name`, which section `meta` of the preset needs"
        );
        assert!(choose("7").unwrap_err().starts_with("the document is no object and has no `user`"));
    }
}
