//! Cuts a stream of JSON into documents: one a line, the elements of a list, or documents over several lines.

use std::borrow::Cow;
use std::io::{BufRead, Cursor};

use mercer_shared::problem::{Code, Problem};

use crate::document::{BOM, MAX_LINE_BYTES};
use crate::source::{Line, Lines, too_long};
use crate::validate::Refusal;

/// The layout of a stream of JSON documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One a line.
    Lines,
    /// Elements of a list, or documents over several lines.
    Values,
}

impl Layout {
    /// The layout of a stream that begins with these bytes, without white space before them.
    pub(crate) fn of(head: &[u8]) -> Self {
        let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        // A document whose first line ends inside it covers several lines.
        let several = first.len() < head.len() && matches!(first.last(), Some(b'{' | b'[' | b',' | b':'));
        if head.first() == Some(&b'[') || several { Self::Values } else { Self::Lines }
    }
}

/// The place of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The line it begins in, from 1.
    pub(crate) line: u64,
    /// Its number in its list, from 0; `None` outside a list.
    pub(crate) element: Option<u64>,
}

/// The result of one step.
pub(crate) enum Document<'a> {
    Text(Place, &'a [u8]),
    Bad(Place, Refusal),
    End,
}

/// The documents of a stream.
pub(crate) enum Documents {
    Lines(Lines),
    Values(Box<Values>),
}

impl Documents {
    pub(crate) fn new(reader: Box<dyn BufRead + Send>, layout: Layout) -> Self {
        match layout {
            Layout::Lines => Self::Lines(Lines::new(reader)),
            Layout::Values => Self::Values(Box::new(Values::new(reader))),
        }
    }

    /// The next document; empty lines are passed over.
    ///
    /// # Errors
    /// `bad-file` where the stream breaks.
    pub(crate) fn next(&mut self) -> Result<Document<'_>, Problem> {
        match self {
            Self::Values(values) => values.next(),
            Self::Lines(lines) => loop {
                let place = |line| Place { line, element: None };
                match lines.next()? {
                    Line::End => return Ok(Document::End),
                    Line::TooLong { number, length } => return Ok(Document::Bad(place(number), too_long(length))),
                    Line::Whole(_) if lines.bytes().trim_ascii().is_empty() => {}
                    Line::Whole(number) => return Ok(Document::Text(place(number), lines.bytes())),
                }
            },
        }
    }
}

/// A document of a request body.
#[derive(Debug)]
pub struct BodyDocument<'a> {
    /// Its line, or its number in the list, from 1.
    pub number: u64,
    /// Its bytes, or why it has none.
    pub content: Result<Cow<'a, [u8]>, Refusal>,
}

/// Cuts a request body as a file is cut: documents one a line, or the elements of a list.
#[must_use]
pub fn split_body(bytes: &[u8]) -> Vec<BodyDocument<'_>> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let head = bytes.trim_ascii_start();
    if head.first() == Some(&b'[') {
        let mut all: Vec<BodyDocument<'_>> = Vec::new();
        let mut values = Values::new(Box::new(Cursor::new(bytes.to_vec())));
        loop {
            let number = all.len() as u64 + 1;
            let content = match values.next() {
                // Memory does not break off.
                Ok(Document::End) | Err(_) => return all,
                Ok(Document::Text(_, text)) => Ok(Cow::Owned(text.to_vec())),
                Ok(Document::Bad(_, refusal)) => Err(refusal),
            };
            all.push(BodyDocument { number, content });
        }
    }
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    let lines = (1..).zip(bytes.split(|byte| *byte == end));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(number, line)| {
            let fits = line.len() <= MAX_LINE_BYTES;
            let content = if fits { Ok(Cow::Borrowed(line)) } else { Err(too_long(line.len() as u64)) };
            BodyDocument { number, content }
        })
        .collect()
}

/// The nesting at the current position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// An object or a list of this depth.
    Document(u32),
    /// A number, word or string where a document should be.
    Scalar,
}

/// Cuts at brackets, independent of line breaks. A document that is too long is skipped without using memory.
pub(crate) struct Values {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    document: Vec<u8>,
    length: u64,
    begun: Place,
    inside: Inside,
    /// Open brackets; the list around the documents counts.
    depth: u32,
    elements: u64,
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
            begun: Place { line: 1, element: None },
            inside: Inside::Nothing,
            depth: 0,
            elements: 0,
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
                return Ok(self.end());
            }
            let chunk = available.to_vec();
            let mut ended = None;
            for (place, byte) in chunk.iter().enumerate() {
                let ends = self.take(*byte);
                self.line += u64::from(*byte == b'\n');
                if ends {
                    ended = Some(place + 1);
                    break;
                }
            }
            self.reader.consume(ended.unwrap_or(chunk.len()));
            if ended.is_some() {
                return Ok(self.cut());
            }
        }
    }

    fn cut(&self) -> Document<'_> {
        match self.length > MAX_LINE_BYTES as u64 {
            true => Document::Bad(self.begun, too_long(self.length)),
            false => Document::Text(self.begun, &self.document),
        }
    }

    /// Handles the end of the stream: a last scalar, an unfinished document, an unfinished list, or nothing.
    fn end(&mut self) -> Document<'_> {
        let inside = std::mem::replace(&mut self.inside, Inside::Nothing);
        let depth = std::mem::take(&mut self.depth);
        match inside {
            Inside::Scalar => self.cut(),
            Inside::Document(_) => {
                let detail = "the document that begins here has no end";
                Document::Bad(self.begun, Refusal::new(Code::BrokenJson, detail))
            }
            Inside::Nothing if depth > 0 => {
                let place = Place { line: self.line, element: Some(self.elements) };
                Document::Bad(place, Refusal::new(Code::BrokenJson, "the list has no end: the file may be cut off"))
            }
            Inside::Nothing => Document::End,
        }
    }

    /// Takes a byte. Returns whether a document ends with it.
    fn take(&mut self, byte: u8) -> bool {
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
        match self.inside {
            Inside::Nothing => {
                self.between(byte);
                false
            }
            Inside::Scalar => self.scalar(byte),
            Inside::Document(outside) => {
                self.keep(byte);
                match byte {
                    b'"' => self.in_text = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                let ends = self.depth <= outside;
                if ends {
                    self.inside = Inside::Nothing;
                }
                ends
            }
        }
    }

    /// A byte between documents.
    fn between(&mut self, byte: u8) {
        match byte {
            b',' => {}
            space if space.is_ascii_whitespace() => {}
            b'[' if self.depth == 0 => {
                self.depth = 1;
                self.elements = 0;
            }
            b']' if self.depth == 1 => self.depth = 0,
            b'{' | b'[' => {
                self.begin(Inside::Document(self.depth), byte);
                self.depth += 1;
            }
            _ => {
                self.begin(Inside::Scalar, byte);
                self.in_text = byte == b'"';
            }
        }
    }

    /// A byte inside a scalar.
    fn scalar(&mut self, byte: u8) -> bool {
        let ends = byte == b',' || byte == b']' || byte.is_ascii_whitespace();
        if ends {
            self.inside = Inside::Nothing;
            self.between(if byte == b']' && self.depth == 0 { b',' } else { byte });
        } else {
            self.in_text = byte == b'"';
            self.keep(byte);
        }
        ends
    }

    fn begin(&mut self, inside: Inside, byte: u8) {
        let element = (self.depth > 0).then_some(self.elements);
        self.elements += 1;
        self.begun = Place { line: self.line, element };
        self.inside = inside;
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        self.length += 1;
        if self.document.len() < MAX_LINE_BYTES {
            self.document.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> Vec<(u64, String)> {
        let reader = std::io::BufReader::with_capacity(5, Cursor::new(text.as_bytes().to_vec()));
        let mut documents = Documents::new(Box::new(reader), Layout::Values);
        let mut all = Vec::new();
        loop {
            match documents.next().unwrap() {
                Document::End => return all,
                Document::Text(place, bytes) => all.push((place.line, String::from_utf8(bytes.to_vec()).unwrap())),
                Document::Bad(place, refusal) => all.push((place.line, refusal.code.to_string())),
            }
        }
    }

    fn one(line: u64, text: &str) -> (u64, String) {
        (line, text.to_owned())
    }

    #[test]
    fn lists_and_long_documents_are_cut() {
        assert_eq!(cut("[{\"a\":1},{\"b\":\"]}\\\"\"}]"), [one(1, "{\"a\":1}"), one(1, "{\"b\":\"]}\\\"\"}")]);
        assert_eq!(cut("{\n \"a\": [1,\n2]\n}\n{\"b\":2}\n"), [one(1, "{\n \"a\": [1,\n2]\n}"), one(5, "{\"b\":2}")]);
        assert_eq!(cut("[\n{\"a\":1},\n{\"b\":"), [one(2, "{\"a\":1}"), one(3, "broken-json")]);
        assert_eq!(cut("[]"), []);
        assert_eq!(cut(" \n[{\"a\":1}]"), [one(2, "{\"a\":1}")]);
        assert_eq!(
            cut("[{\"a\":1}][{\"b\":2}]{\"c\":3}"),
            [one(1, "{\"a\":1}"), one(1, "{\"b\":2}"), one(1, "{\"c\":3}")]
        );
        assert_eq!(cut("[{\"a\":1},\n"), [one(1, "{\"a\":1}"), one(2, "broken-json")], "a list that is cut off");
    }

    #[test]
    fn what_is_no_document_is_given_too() {
        assert_eq!(
            cut("[1, \"a,]b\", {\"a\":1}, null,\n[2]]"),
            [one(1, "1"), one(1, "\"a,]b\""), one(1, "{\"a\":1}"), one(1, "null"), one(2, "[2]")]
        );
        assert_eq!(cut("{\n}\nx ]"), [one(1, "{\n}"), one(3, "x"), one(3, "]")]);
    }

    #[test]
    fn bodies_are_cut_as_files_are() {
        let texts = |body: &str| -> Vec<(u64, String)> {
            let text = |document: BodyDocument<'_>| {
                let content = document.content.map_or_else(|refusal| refusal.detail.into_bytes(), Cow::into_owned);
                (document.number, String::from_utf8(content).unwrap())
            };
            split_body(body.as_bytes()).into_iter().map(text).collect()
        };
        assert_eq!(texts("\u{feff}{\"a\":1}\r\n\r\n{\"b\":2}"), [one(1, "{\"a\":1}\r"), one(3, "{\"b\":2}")]);
        assert_eq!(
            texts("\u{feff} [{\"a\":1},{\"b\":2},\n3]"),
            [one(1, "{\"a\":1}"), one(2, "{\"b\":2}"), one(3, "3")]
        );
        assert_eq!(texts("{\"a\":1}\r{\"b\":2}\r"), [one(1, "{\"a\":1}"), one(2, "{\"b\":2}")]);
        assert_eq!(texts(""), []);
    }

    proptest! {
        /// A list of any values is cut into these values, however it is written.
        #[test]
        fn lists_are_cut_into_their_elements(values in prop::collection::vec(prop_oneof![
            any::<i32>().prop_map(serde_json::Value::from),
            "[ -~\n]{0,9}".prop_map(serde_json::Value::from),
            ("[ -~]{0,9}", any::<bool>()).prop_map(|(text, flag)| serde_json::json!({ "a": [text, { "b": flag }] })),
        ], 0..9), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&values) } else { serde_json::to_string(&values) };
            let cut: Vec<serde_json::Value> = cut(&text.unwrap()).iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(cut, values);
        }
    }
}
