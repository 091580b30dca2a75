//! Detects the format of a file from its first bytes, and the separator of its fields.

use mercer_shared::problem::{Code, Problem};

use super::documents::Layout;
use super::fields::{Fields, Splitter};
use super::header::choose;
use crate::preset::Preset;
use crate::source::Source;

/// Separators that logs use.
const USUAL: [&str; 4] = [",", ";", "\t", "|"];
/// First bytes of what shops send instead of a log.
const OTHER: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "compressed by bzip2"),
];

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Json(Layout),
    Text,
}

impl Format {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Json(Layout::Lines) => "ndjson",
            Self::Json(Layout::Values) => "json",
            Self::Text => "csv",
        }
    }
}

/// The format of an opened file, by its first bytes.
///
/// # Errors
/// `unknown-format` for what is none of ours.
pub(super) fn format(source: &mut Source) -> Result<Format, Problem> {
    let name = source.name.clone();
    let head = source.head();
    let unknown = |what: &str| Err(Problem::new(Code::UnknownFormat, format!("{name} is {what}")));
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if let Some((_, what)) = OTHER.iter().find(|(magic, _)| head.starts_with(magic)) {
        return unknown(what);
    }
    if head.contains(&0) {
        return unknown("binary, or UTF-16 without a mark of byte order");
    }
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(head.len());
    let head = &head[start..];
    Ok(match head.first() {
        Some(b'[' | b'{') => Format::Json(Layout::of(head)),
        _ => Format::Text,
    })
}

/// The separator that a first line `sep=;` of a spreadsheet declares.
pub(super) fn declared_separator(line: &str) -> Option<&str> {
    let line = line.trim_matches(['"', ' ']);
    let (name, separator) = line.split_at_checked(4)?;
    // A spreadsheet that wrote the file again has filled the row up with separators.
    let first = &separator[..separator.chars().next()?.len_utf8()];
    (name.eq_ignore_ascii_case("sep=") && separator.replace(first, "").is_empty()).then_some(first)
}

/// The separator of a header: one under which a section of the preset fits, else the one that makes most fields.
pub(super) fn separator(preset: &Preset, line: &str) -> &'static str {
    let fits = USUAL.into_iter().find(|separator| choose(preset, &split(separator, line)).is_some());
    fits.unwrap_or_else(|| likely_separator(line))
}

/// The separator that makes most fields of a line.
pub(super) fn likely_separator(line: &str) -> &'static str {
    // max_by_key takes the last of equals, and the comma comes first.
    USUAL.into_iter().rev().max_by_key(|separator| split(separator, line).len()).unwrap_or(",")
}

fn split(separator: &str, line: &str) -> Vec<String> {
    let mut fields = Fields::default();
    Splitter::new(separator, true).feed(line, &mut fields);
    fields.iter().map(|name| name.trim().to_owned()).collect()
}
