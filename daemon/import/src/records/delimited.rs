//! Separated text: CSV with any separator, with or without a header, quoted line ends, any of the usual encodings.

use std::borrow::Cow;

use encoding_rs::Encoding;
use mercer_shared::problem::{Code, Problem};

use super::fields::{Fields, Splitter};
use super::header::{choose, find, has_header, is_header, no_section, other_width};
use super::opened::Opened;
use super::quotes::{EARLY, Evidence, Pattern};
use super::record::{RecordPlace, Step};
use super::sniff;
use crate::document::MAX_LINE_BYTES;
use crate::preset::{FileSpec, Preset};
use crate::source::{HeldLine, Line, Lines, Source, too_long};
use crate::validate::Refusal;

/// Lines at the head of a file without a header that select its section.
const HEAD: usize = 20;

/// Records of separated text.
pub(super) struct Delimited {
    lines: Lines,
    splitter: Splitter,
    /// Encoding that the preset fixes.
    encoding: Option<&'static Encoding>,
    fields: [Fields; 1],
    /// Fields of every record; 0 while the header is read.
    width: usize,
    section: usize,
    physical: PhysicalLines,
}

/// Counts of lines that are not records of one line.
#[derive(Debug, Default)]
pub(crate) struct PhysicalLines {
    /// Lines before the first record: the header, and what a spreadsheet puts before it.
    pub(crate) header: u64,
    /// Empty lines.
    pub(crate) empty: u64,
    /// Further lines of records that cover several.
    pub(crate) continued: u64,
    /// Lines that are not UTF-8 and were read as Windows-1252.
    pub(crate) not_utf8: u64,
}

impl PhysicalLines {
    /// The text of a line: in the fixed encoding, else UTF-8, else Windows-1252, of which Latin-1 is a part.
    fn decode<'a>(&mut self, bytes: &'a [u8], encoding: Option<&'static Encoding>) -> Cow<'a, str> {
        if let Some(encoding) = encoding {
            return encoding.decode_without_bom_handling(bytes).0;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                self.not_utf8 += 1;
                encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0
            }
        }
    }
}

enum Read {
    Record(u64),
    Bad(u64, Refusal),
    End,
}

fn declared_encoding(file: &FileSpec) -> Option<&'static Encoding> {
    file.encoding.as_ref().and_then(|label| Encoding::for_label(label.as_bytes()))
}

fn splitter_of(file: &FileSpec) -> Splitter {
    Splitter::new(file.delimiter.as_deref().unwrap_or(","), file.quotes)
}

fn split(line: &str, mut splitter: Splitter) -> Vec<String> {
    let mut fields = Fields::default();
    splitter.feed(line, &mut fields);
    fields.iter().map(|name| name.trim().to_owned()).collect()
}

/// The section without a header whose columns fit the lines: one that the file's name selects, else any. If only the
/// name fits, that section, so that the problem can name it.
fn headless(preset: &Preset, name: &str, lines: &[String]) -> Option<usize> {
    let sections = || preset.file.iter().enumerate().filter(|(_, file)| !file.columns.is_empty());
    let fits = |file: &FileSpec| lines.iter().any(|line| split(line, splitter_of(file)).len() == file.columns.len());
    let named = |file: &FileSpec| file.file_name.as_ref().is_some_and(|part| name.contains(part.as_str()));
    let with_header = preset.file.iter().any(|file| file.columns.is_empty());
    sections()
        .find(|(_, file)| named(file) && fits(file))
        .or_else(|| sections().find(|(_, file)| fits(file)))
        .or_else(|| sections().find(|(_, file)| named(file) && !with_header))
        .map(|(section, _)| section)
}

impl Delimited {
    /// Opens separated text.
    ///
    /// # Errors
    /// `missing-columns` where no section of the preset reads it, `line-too-long` for the first line, `bad-file`.
    pub(super) fn open(preset: &Preset, used: &[Vec<String>], mut source: Source) -> Result<Opened<Self>, Problem> {
        let lines = Lines::new(source.take_reader());
        let mut this = Self {
            lines,
            splitter: Splitter::new(",", true),
            encoding: None,
            fields: [Fields::default()],
            width: 0,
            section: 0,
            physical: PhysicalLines::default(),
        };
        let mut head = this.head(&source.name)?;
        let declared = head.first().and_then(|line| sniff::declared_separator(line)).map(str::to_owned);
        if declared.is_some() {
            // The declaration is a line of its own.
            this.lines.next()?;
            this.physical.header += 1;
            head.remove(0);
        }
        if let Some(section) = headless(preset, &source.name, &head) {
            this.section = section;
            return this.without_header(&preset.file[section], &used[section], &source.name, &head);
        }
        let fixed = preset.file.iter().find_map(|file| file.delimiter.as_deref().filter(|_| file.columns.is_empty()));
        let first = head.first().map(String::as_str).unwrap_or_default();
        let separator = declared.as_deref().or(fixed).unwrap_or_else(|| sniff::separator(preset, first));
        this.splitter = Splitter::new(separator, true);
        this.with_header(preset, used, &source.name)
    }

    /// The first lines that are not empty, which are read again after this.
    fn head(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        let mut held: Vec<HeldLine> = Vec::new();
        let mut head = Vec::new();
        let mut bytes = 0;
        while head.len() < HEAD && bytes < MAX_LINE_BYTES {
            match self.lines.next() {
                Ok(Line::Whole(number)) => {
                    let line = self.lines.bytes().to_vec();
                    bytes += line.len();
                    if !line.trim_ascii().is_empty() {
                        head.push(PhysicalLines::default().decode(&line, None).into_owned());
                    }
                    held.push(HeldLine { number, bytes: line });
                }
                Ok(Line::TooLong { number, length }) if head.is_empty() => {
                    let detail = format!("the first line ({number}) has {length} bytes");
                    return Err(Problem::new(Code::LineTooLong, detail));
                }
                Ok(last) => {
                    self.lines.give_back(std::mem::take(&mut held), last);
                    break;
                }
                Err(problem) if head.is_empty() => return Err(problem),
                // The lines that are there are read before the stream breaks again.
                Err(_) => break,
            }
        }
        self.lines.give_back(held, Line::End);
        if head.is_empty() {
            return Err(Problem::new(Code::MissingColumns, format!("{name} is empty")));
        }
        Ok(head)
    }

    fn without_header(
        mut self,
        file: &FileSpec,
        used: &[String],
        name: &str,
        head: &[String],
    ) -> Result<Opened<Self>, Problem> {
        let splitter = splitter_of(file);
        let width = file.columns.len();
        let first = head.first().map(String::as_str).unwrap_or_default();
        if !head.iter().any(|line| split(line, splitter.clone()).len() == width) {
            // With the separator that makes most of it, a header is shown as the file has it.
            let separator = sniff::likely_separator(first);
            let header = split(first, Splitter::new(separator, true));
            return Err(other_width(file, splitter.separator(), name, &header));
        }
        let first = split(first, splitter.clone());
        let mut columns = file.columns.clone();
        if is_header(file, &first) {
            let known = first.len() == width && file.columns.iter().all(|column| find(file, column, &first).is_some());
            if !known {
                return Err(has_header(file, name, &first));
            }
            columns = first;
            self.skip_header()?;
        }
        let places = used.iter().map(|column| find(file, column, &columns)).collect();
        (self.splitter, self.encoding, self.width) = (splitter, declared_encoding(file), width);
        Ok(Opened { section: self.section, form: self, places })
    }

    fn skip_header(&mut self) -> Result<(), Problem> {
        while let Line::Whole(_) = self.lines.next()? {
            self.physical.header += 1;
            if !self.lines.bytes().trim_ascii().is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn with_header(mut self, preset: &Preset, used: &[Vec<String>], name: &str) -> Result<Opened<Self>, Problem> {
        if let Read::Bad(line, refusal) = self.record()? {
            return Err(Problem::new(
                Code::MissingColumns,
                format!("{name}: the header in line {line}: {}", refusal.detail),
            ));
        }
        let header: Vec<String> = self.fields[0].iter().map(|name| name.trim().to_owned()).collect();
        let section = choose(preset, &header).ok_or_else(|| no_section(preset, name, &header))?;
        let file = &preset.file[section];
        let places = used[section].iter().map(|column| find(file, column, &header)).collect();
        self.splitter = Splitter::new(self.splitter.separator(), file.quotes);
        (self.width, self.section, self.encoding) = (header.len(), section, declared_encoding(file));
        self.physical = PhysicalLines {
            header: self.physical.header + self.physical.continued + 1,
            empty: self.physical.empty,
            ..PhysicalLines::default()
        };
        Ok(Opened { form: self, section, places })
    }

    pub(super) const fn section(&self) -> usize {
        self.section
    }

    pub(super) const fn physical_lines(&self) -> &PhysicalLines {
        &self.physical
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        match self.record()? {
            Read::End => Ok(Step::End),
            Read::Bad(line, refusal) => Ok(Step::Bad(RecordPlace::line(line), refusal)),
            Read::Record(line) if self.fields[0].len() != self.width => {
                let detail = format!("{} fields instead of {}", self.fields[0].len(), self.width);
                Ok(Step::Bad(RecordPlace::line(line), Refusal::new(Code::WrongType, detail)))
            }
            Read::Record(line) => {
                Ok(Step::Record { place: RecordPlace::line(line), section: self.section, rows: &self.fields })
            }
        }
    }

    /// Reads one record into the fields, over as many lines as its quotes need.
    fn record(&mut self) -> Result<Read, Problem> {
        loop {
            self.fields[0].clear();
            self.splitter.reset();
            let number = match self.lines.next()? {
                Line::End => return Ok(Read::End),
                Line::TooLong { number, length } => return Ok(Read::Bad(number, too_long(length))),
                Line::Whole(_) if self.lines.bytes().trim_ascii().is_empty() => {
                    self.physical.empty += 1;
                    continue;
                }
                Line::Whole(number) => number,
            };
            let text = self.physical.decode(self.lines.bytes(), self.encoding);
            let ends = self.splitter.feed(&text, &mut self.fields[0]);
            let fits = ends && self.fields[0].len() == self.width;
            if !fits && self.lines.bytes().contains(&b'\r') {
                // A row that ends with a bare CR among rows that end with LF.
                self.lines.split_at_cr(number);
                continue;
            }
            return if ends { Ok(Read::Record(number)) } else { self.continued(number) };
        }
    }

    /// Reads the further lines of a record whose first line leaves a quoted field open. A stray quote spoils that line
    /// only: the lines after it are returned to the stream if no line within the limit closes the field, if text
    /// follows the closing quote, or if they are rows of the table.
    fn continued(&mut self, opened: u64) -> Result<Read, Problem> {
        let mut held: Vec<HeldLine> = Vec::new();
        // Lines that are given back are counted when they are read again.
        let mut scratch = PhysicalLines::default();
        let mut bytes = self.lines.bytes().len();
        let early = Pattern::of(&self.fields[0], self.width);
        let mut evidence = Evidence::default();
        let stray = |this: &mut Self, held, last, why: &str| {
            this.lines.give_back(held, last);
            Ok(Read::Bad(opened, Refusal::new(Code::WrongType, format!("a quote is opened and never closed{why}"))))
        };
        loop {
            let line = self.lines.next()?;
            bytes += self.lines.bytes().len() + 1;
            let number = match line {
                Line::Whole(number) if bytes <= MAX_LINE_BYTES => number,
                last => return stray(self, held, last, ""),
            };
            let text = scratch.decode(self.lines.bytes(), self.encoding).into_owned();
            let ends = self.splitter.feed(&text, &mut self.fields[0]);
            if self.splitter.is_loose() {
                return stray(self, held, line, ": text follows the next quote");
            }
            if ends {
                let pattern = Pattern::of(&self.fields[0], self.width);
                let mut evidence = Evidence::default();
                for line in &held {
                    let text = PhysicalLines::default().decode(&line.bytes, self.encoding).into_owned();
                    evidence.add(&text, &self.splitter, &pattern);
                }
                evidence.add(&text, &self.splitter, &pattern);
                if evidence.are_rows() {
                    return stray(self, held, line, ": the lines after it are rows");
                }
                self.physical.continued += held.len() as u64 + 1;
                self.physical.not_utf8 += scratch.not_utf8;
                return Ok(Read::Record(opened));
            }
            if held.len() < EARLY {
                evidence.add(&text, &self.splitter, &early);
            }
            held.push(HeldLine { number, bytes: self.lines.bytes().to_vec() });
            if held.len() == EARLY && evidence.are_rows() {
                return stray(self, held, Line::End, ": the lines after it are rows");
            }
        }
    }
}
