//! Separated text: CSV with any separator, with or without a header, quoted line ends, any of the usual encodings.

use std::borrow::Cow;

use encoding_rs::Encoding;
use mercer_shared::problem::{Code, Problem};

use super::fields::{Fields, Splitter};
use super::{Step, choose, find, missing, no_section, sniff};
use crate::document::MAX_LINE_BYTES;
use crate::preset::{FileSpec, Preset};
use crate::source::{Line, Lines, Source};

/// Records of separated text.
pub(super) struct Delimited {
    lines: Lines,
    splitter: Splitter,
    /// Encoding that the preset fixes.
    encoding: Option<&'static Encoding>,
    fields: [Fields; 1],
    width: usize,
    section: usize,
    /// Lines that were not UTF-8.
    fallbacks: u64,
}

/// The text of a line: in the fixed encoding, else UTF-8, else Windows-1252, of which Latin-1 is a part.
fn decode<'a>(bytes: &'a [u8], encoding: Option<&'static Encoding>, fallbacks: &mut u64) -> Cow<'a, str> {
    if let Some(encoding) = encoding {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            *fallbacks += 1;
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0
        }
    }
}

fn said_encoding(file: &FileSpec) -> Option<&'static Encoding> {
    file.encoding.as_ref().and_then(|label| Encoding::for_label(label.as_bytes()))
}

/// The section without a header that a first line is of: by the file's name, else by the number of fields.
fn headless(preset: &Preset, name: &str, line: &str) -> Option<usize> {
    let fits = |file: &FileSpec| {
        let mut fields = Fields::default();
        !file.columns.is_empty() && {
            Splitter::new(file.delimiter.as_deref().unwrap_or(","), file.quotes).feed(line, &mut fields);
            fields.len() == file.columns.len()
        }
    };
    let named = |file: &FileSpec| {
        !file.columns.is_empty() && file.file_name.as_ref().is_some_and(|part| name.contains(part.as_str()))
    };
    preset.file.iter().position(named).or_else(|| preset.file.iter().position(fits))
}

impl Delimited {
    /// Opens separated text; gives the section that reads it and where its columns stand.
    pub(super) fn open(
        preset: &Preset,
        used: &[Vec<String>],
        mut source: Source,
    ) -> Result<(Self, usize, Vec<Option<usize>>), Problem> {
        let mut lines = Lines::new(source.take_reader());
        let first = loop {
            match lines.next()? {
                Line::Whole(_) if lines.bytes().trim_ascii().is_empty() => {}
                Line::Whole(number) => break (number, lines.bytes().to_vec()),
                Line::TooLong(number, length) => {
                    return Err(Problem::new(
                        Code::LineTooLong,
                        format!("the first line ({number}) has {length} bytes"),
                    ));
                }
                Line::End => return Err(Problem::new(Code::MissingColumns, format!("{} is empty", source.name))),
            }
        };
        let mut fallbacks = 0;
        let text = decode(&first.1, None, &mut fallbacks).into_owned();
        if let Some(section) = headless(preset, &source.name, &text) {
            let file = &preset.file[section];
            lines.give_back(Vec::new(), Line::Whole(first.0));
            let places = used[section].iter().map(|column| find(file, column, &file.columns)).collect();
            let splitter = Splitter::new(file.delimiter.as_deref().unwrap_or(","), file.quotes);
            let (encoding, width) = (said_encoding(file), file.columns.len());
            let fields = [Fields::default()];
            return Ok((Self { lines, splitter, encoding, fields, width, section, fallbacks: 0 }, section, places));
        }
        let fixed = preset.file.iter().find_map(|file| file.delimiter.as_deref().filter(|_| file.columns.is_empty()));
        let separator = fixed.unwrap_or_else(|| sniff::separator(preset, &text));
        lines.give_back(Vec::new(), Line::Whole(first.0));
        let splitter = Splitter::new(separator, true);
        let mut this =
            Self { lines, splitter, encoding: None, fields: [Fields::default()], width: 0, section: 0, fallbacks: 0 };
        this.record()?;
        let header: Vec<String> = this.fields[0].iter().map(|name| name.trim().to_owned()).collect();
        let section = choose(preset, &header).ok_or_else(|| no_section(preset, &source.name, &header))?;
        let file = &preset.file[section];
        debug_assert!(missing(file, &header).is_empty());
        let places = used[section].iter().map(|column| find(file, column, &header)).collect();
        this.splitter = Splitter::new(this.splitter.separator(), file.quotes);
        (this.width, this.section, this.encoding, this.fallbacks) = (header.len(), section, said_encoding(file), 0);
        Ok((this, section, places))
    }

    pub(super) const fn section(&self) -> usize {
        self.section
    }

    pub(super) const fn fallbacks(&self) -> u64 {
        self.fallbacks
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        match self.record()? {
            Read::End => Ok(Step::End),
            Read::Bad(line, code, detail) => Ok(Step::Bad(line, (code, detail))),
            Read::Record(line) if self.fields[0].len() != self.width => {
                let detail = format!("{} fields instead of {}", self.fields[0].len(), self.width);
                Ok(Step::Bad(line, (Code::WrongType, detail)))
            }
            Read::Record(line) => Ok(Step::Record { line, section: self.section, rows: &self.fields }),
        }
    }

    /// Reads one record into the fields, over as many lines as its quotes need. A quote that no line within the limit closes
    /// spoils only the line that opens it.
    fn record(&mut self) -> Result<Read, Problem> {
        self.fields[0].clear();
        self.splitter.reset();
        let mut held: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        loop {
            let line = self.lines.next()?;
            let number = match line {
                Line::Whole(_) if held.is_empty() && self.lines.bytes().trim_ascii().is_empty() => continue,
                Line::Whole(number) if bytes + self.lines.bytes().len() <= MAX_LINE_BYTES => number,
                Line::TooLong(number, length) if held.is_empty() => {
                    let detail = format!("the line has {length} bytes, at most {MAX_LINE_BYTES} are read");
                    return Ok(Read::Bad(number, Code::LineTooLong, detail));
                }
                Line::End if held.is_empty() => return Ok(Read::End),
                rest => {
                    let opened = held.first().map_or(0, |(number, _)| *number);
                    self.lines.give_back(held.drain(1..).collect(), rest);
                    return Ok(Read::Bad(opened, Code::WrongType, "a quote is opened and never closed".to_owned()));
                }
            };
            let text = decode(self.lines.bytes(), self.encoding, &mut self.fallbacks);
            if self.splitter.feed(&text, &mut self.fields[0]) {
                return Ok(Read::Record(held.first().map_or(number, |(first, _)| *first)));
            }
            bytes += self.lines.bytes().len() + 1;
            held.push((number, self.lines.bytes().to_vec()));
        }
    }
}

enum Read {
    Record(u64),
    Bad(u64, Code, String),
    End,
}
