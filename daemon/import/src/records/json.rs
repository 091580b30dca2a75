//! JSON documents as records: one a line, members of one list, or documents over several lines. Columns are dotted paths, and
//! every document chooses its section of the preset by the paths it has.

use std::collections::VecDeque;
use std::io::BufRead;

use mercer_shared::problem::{Code, Problem};
use serde_json::Value;

use super::Step;
use super::fields::Fields;
use super::sniff::Layout;
use crate::document::{MAX_LINE_BYTES, parse_line};
use crate::preset::{FileSpec, Preset};
use crate::source::{Line, Lines, Source};
use crate::validate::Refusal;

/// Most members of lists that one document may make records or rows of.
const MAX_MEMBERS: usize = 10_000;

/// Records of JSON.
pub(super) struct Json {
    sections: Vec<Section>,
    documents: Documents,
    waiting: VecDeque<(u64, Value)>,
    rows: Vec<Fields>,
}

/// What is needed of a section to read documents.
struct Section {
    requires: Vec<Path>,
    used: Vec<Path>,
    records: Option<Path>,
    /// Lists with a member for each row.
    explode: Vec<Path>,
    /// For each used column the list it is in, if it is in one, and the path inside a member.
    inside: Vec<Option<(usize, Vec<String>)>>,
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
        let one =
            |path: &Vec<String>| path.iter().try_fold(value, |at, key| at.get(key)).filter(|value| !value.is_null());
        self.0.iter().find_map(one)
    }
}

/// The list that a column is in, and its path inside a member.
fn inside(file: &FileSpec, column: &str) -> Option<(usize, Vec<String>)> {
    file.explode.iter().enumerate().find_map(|(number, list)| match column.strip_prefix(list.as_str())? {
        "" => Some((number, Vec::new())),
        rest => Some((number, rest.strip_prefix('.')?.split('.').map(str::to_owned).collect())),
    })
}

impl Json {
    pub(super) fn new(preset: &Preset, used: &[Vec<String>], mut source: Source, layout: Layout) -> Self {
        let section = |(file, used): (&FileSpec, &Vec<String>)| Section {
            requires: file.requires.iter().map(|column| Path::new(file, column)).collect(),
            used: used.iter().map(|column| Path::new(file, column)).collect(),
            records: file.records.as_ref().map(|column| Path::new(file, column)),
            explode: file.explode.iter().map(|list| Path::new(file, list)).collect(),
            inside: used.iter().map(|column| inside(file, column)).collect(),
        };
        let sections = preset.file.iter().zip(used).map(section).collect();
        let documents = Documents::new(source.take_reader(), layout);
        Self { sections, documents, waiting: VecDeque::new(), rows: Vec::new() }
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        loop {
            if let Some((line, value)) = self.waiting.pop_front() {
                return Ok(self.record(line, &value));
            }
            match self.documents.next()? {
                Document::End => return Ok(Step::End),
                Document::Bad(line, refusal) => return Ok(Step::Bad(line, refusal)),
                Document::Text(line, bytes) => match parse_line::<Value>(bytes) {
                    Err(refusal) => return Ok(Step::Bad(line, refusal)),
                    Ok(value) => {
                        let held = self.sections.iter().find_map(|section| section.records.as_ref()?.of(&value));
                        match held {
                            Some(Value::Array(list)) if list.len() > MAX_MEMBERS => {
                                let detail =
                                    format!("a list of {} records, at most {MAX_MEMBERS} are read", list.len());
                                return Ok(Step::Bad(line, (Code::TooLong, detail)));
                            }
                            Some(Value::Array(list)) => {
                                self.waiting.extend(list.iter().map(|value| (line, value.clone())))
                            }
                            Some(record) => self.waiting.push_back((line, record.clone())),
                            None => self.waiting.push_back((line, value)),
                        }
                    }
                },
            }
        }
    }

    fn record(&mut self, line: u64, value: &Value) -> Step<'_> {
        let lacks = |section: &Section| section.requires.iter().position(|path| path.of(value).is_none());
        let Some(number) = self.sections.iter().position(|section| lacks(section).is_none()) else {
            let lacking =
                self.sections.first().and_then(|section| Some(section.requires[lacks(section)?].0[0].join(".")));
            let what = if value.is_object() { "has no" } else { "is no object and has no" };
            let detail = format!("the document {what} `{}`, which the preset needs", lacking.unwrap_or_default());
            return Step::Bad(line, (Code::WrongType, detail));
        };
        let section = &self.sections[number];
        let lists: Vec<Option<&Vec<Value>>> =
            section.explode.iter().map(|path| path.of(value).and_then(Value::as_array)).collect();
        let count = lists.iter().flatten().map(|list| list.len()).max().unwrap_or_default();
        if count > MAX_MEMBERS {
            return Step::Bad(
                line,
                (Code::TooLong, format!("a list of {count} members, at most {MAX_MEMBERS} are read")),
            );
        }
        // An empty list makes one row without that value, for the preset to judge.
        self.rows.resize_with(count.max(1), Fields::default);
        for (place, row) in self.rows.iter_mut().enumerate() {
            row.clear();
            for (path, inside) in section.used.iter().zip(&section.inside) {
                let member = match inside {
                    Some((list, rest)) => match lists[*list] {
                        Some(list) => {
                            list.get(place).and_then(|member| rest.iter().try_fold(member, |at, key| at.get(key)))
                        }
                        None => path.of(value),
                    },
                    None => path.of(value),
                };
                push(row, member.unwrap_or(&Value::Null));
            }
        }
        Step::Record { line, section: number, rows: &self.rows }
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

enum Document<'a> {
    Text(u64, &'a [u8]),
    Bad(u64, Refusal),
    End,
}

/// Cuts a stream into documents.
enum Documents {
    Lines(Lines),
    Values(Box<Values>),
}

impl Documents {
    fn new(reader: Box<dyn BufRead + Send>, layout: Layout) -> Self {
        match layout {
            Layout::Lines => Self::Lines(Lines::new(reader)),
            Layout::Values => Self::Values(Box::new(Values::new(reader))),
        }
    }

    fn next(&mut self) -> Result<Document<'_>, Problem> {
        match self {
            Self::Values(values) => values.next(),
            Self::Lines(lines) => loop {
                match lines.next()? {
                    Line::End => return Ok(Document::End),
                    Line::TooLong(line, length) => return Ok(Document::Bad(line, too_long(length))),
                    Line::Whole(_) if lines.bytes().trim_ascii().is_empty() => {}
                    Line::Whole(line) => return Ok(Document::Text(line, lines.bytes())),
                }
            },
        }
    }
}

/// Cuts at brackets: members of one list, or documents after each other, however they are broken into lines. What stands
/// between documents is not looked at; a document that is too long is passed over and costs no memory.
struct Values {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    document: Vec<u8>,
    length: u64,
    begun: u64,
    /// Documents begin at this depth: 0 for those after each other, 1 for those of a list.
    base: Option<u32>,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Values {
    const fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self {
            reader,
            line: 1,
            document: Vec::new(),
            length: 0,
            begun: 0,
            base: None,
            depth: 0,
            in_text: false,
            escaped: false,
        }
    }

    fn next(&mut self) -> Result<Document<'_>, Problem> {
        self.document.clear();
        self.length = 0;
        loop {
            let available = match self.reader.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.map_err(|error| {
                    let detail =
                        format!("the file breaks off in line {}: {error}; all documents before were read", self.line);
                    Problem::new(Code::BadFile, detail)
                })?,
            };
            if available.is_empty() {
                if self.length == 0 {
                    return Ok(Document::End);
                }
                self.length = 0;
                let detail = "the document that begins here has no end".to_owned();
                return Ok(Document::Bad(self.begun, (Code::BrokenJson, detail)));
            }
            let chunk = available.to_vec();
            let mut ended = None;
            for (place, byte) in chunk.iter().enumerate() {
                self.line += u64::from(*byte == b'\n');
                if self.take(*byte) {
                    ended = Some(place + 1);
                    break;
                }
            }
            self.reader.consume(ended.unwrap_or(chunk.len()));
            if ended.is_some() {
                return Ok(match self.length > MAX_LINE_BYTES as u64 {
                    true => Document::Bad(self.begun, too_long(self.length)),
                    false => Document::Text(self.begun, &self.document),
                });
            }
        }
    }

    /// Takes a byte; whether a document ends with it.
    fn take(&mut self, byte: u8) -> bool {
        let base = *self.base.get_or_insert(u32::from(byte == b'['));
        if self.in_text {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        let inside = self.length > 0;
        match byte {
            b'{' | b'[' => {
                if self.depth == base {
                    self.begun = self.line;
                }
                self.depth += 1;
                if self.depth > base {
                    self.keep(byte);
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if inside {
                    self.keep(byte);
                    return self.depth <= base;
                }
            }
            _ if inside => {
                self.in_text = byte == b'"';
                self.keep(byte);
            }
            _ => {}
        }
        false
    }

    fn keep(&mut self, byte: u8) {
        self.length += 1;
        if self.document.len() < MAX_LINE_BYTES {
            self.document.push(byte);
        }
    }
}

fn too_long(length: u64) -> Refusal {
    (Code::LineTooLong, format!("the line has {length} bytes, at most {MAX_LINE_BYTES} are read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u64, String)> {
        let reader = std::io::BufReader::with_capacity(5, std::io::Cursor::new(text.as_bytes().to_vec()));
        let mut documents = Documents::new(Box::new(reader), Layout::Values);
        let mut all = Vec::new();
        loop {
            match documents.next().unwrap() {
                Document::End => return all,
                Document::Text(line, bytes) => all.push((line, String::from_utf8(bytes.to_vec()).unwrap())),
                Document::Bad(line, (code, _)) => all.push((line, code.to_string())),
            }
        }
    }

    #[test]
    fn lists_and_long_documents_are_cut() {
        assert_eq!(
            cut("[{\"a\":1},{\"b\":\"]}\\\"\"}]"),
            [(1, "{\"a\":1}".to_owned()), (1, "{\"b\":\"]}\\\"\"}".to_owned())]
        );
        assert_eq!(
            cut("{\n \"a\": [1,\n2]\n}\n{\"b\":2}\n"),
            [(1, "{\n \"a\": [1,\n2]\n}".to_owned()), (5, "{\"b\":2}".to_owned())]
        );
        assert_eq!(cut("[\n{\"a\":1},\n{\"b\":"), [(2, "{\"a\":1}".to_owned()), (3, "broken-json".to_owned())]);
        assert_eq!(cut("[]"), []);
    }
}
