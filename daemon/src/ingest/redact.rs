//! Takes erased users out of the files that the inbox keeps after reading them.
//!
//! A file is a copy of what a shop sent; the log has what was read from it. So a record is removed whole where one of its fields is
//! the id of an erased user, and a file that cannot be taken apart (compressed, Parquet, a JSON list) is removed whole where it names
//! one. A field that is equal to an id by chance costs its record in the copy, and nothing in the log.
//!
//! What was rejected could often not be parsed. There every word counts, compressed files are unpacked for it, and what cannot be
//! looked into is removed.

mod named;
mod records;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mercer_import::packed::PackedText;
use mercer_import::{DryRun, Outcome, Sink, run};
use mercer_shared::ids::ItemId;
use mercer_shared::wire::{DeletedItem, Interaction, Item, User};
use serde_json::Value;

pub(crate) use crate::ingest::redact::named::Erased;
use crate::ingest::redact::records::{fields, is_one_document, records};

/// What a report says instead of a text that named an erased user.
const TAKEN_OUT: &str = "taken out: it named an erased shopper";

/// What a redaction removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Redacted {
    /// Records that were removed from files that stay.
    pub(crate) records: u64,
    /// Files that were removed whole.
    pub(crate) files: u64,
}

impl Redacted {
    const fn and(self, other: Self) -> Self {
        Self { records: self.records + other.records, files: self.files + other.files }
    }
}

/// Where the inbox puts a file after reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Archive {
    /// It was read.
    Done,
    /// It could not be read.
    Rejected,
}

impl Archive {
    /// Its directory.
    fn directory(self, state: &Path) -> PathBuf {
        let name = match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
        };
        state.join("inbox").join(name)
    }
}

/// Redacts every file in an archive of the inbox.
///
/// # Errors
/// The disk's; files before stay redacted.
pub(crate) fn archived(
    state: &Path,
    archive: Archive,
    presets: Option<&Path>,
    erased: Erased<'_>,
) -> io::Result<Redacted> {
    let mut all = Redacted::default();
    let entries = match fs::read_dir(archive.directory(state)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
            all = all.and(file(&path, archive, presets, erased)?);
        }
    }
    Ok(all)
}

/// Redacts one file.
///
/// # Errors
/// The disk's; the file is as it was then.
pub(crate) fn file(path: &Path, archive: Archive, presets: Option<&Path>, erased: Erased<'_>) -> io::Result<Redacted> {
    let bytes = fs::read(path)?;
    if file_name(path).ends_with(".report.json")
        && let Ok(report) = serde_json::from_slice::<Value>(&bytes)
    {
        return redact_report(path, report, erased);
    }
    // Values in a binary file may be packed in ways that only a reader of the format knows.
    if is_binary(&bytes) || (archive == Archive::Done && is_packed(&bytes)) {
        return if names_erased(path, presets, erased) { remove(path) } else { Ok(Redacted::default()) };
    }
    let Ok(packed) = PackedText::unpack(&bytes) else { return remove(path) };
    if is_one_document(&packed.text) {
        let named = erased.is_named_in(&String::from_utf8_lossy(&packed.text));
        return if named { remove(path) } else { Ok(Redacted::default()) };
    }
    let is_document = packed.text.trim_ascii_start().starts_with(b"{");
    let mut kept = Vec::with_capacity(packed.text.len());
    let mut removed = 0;
    for record in records(&packed.text) {
        let broken = || is_document && serde_json::from_slice::<Value>(record).is_err();
        let by_word = archive == Archive::Rejected || broken();
        let names = fields(record).iter().any(|field| erased.is(field))
            || (by_word && erased.is_named_in(&String::from_utf8_lossy(record)));
        if names {
            removed += 1;
        } else {
            kept.extend_from_slice(record);
        }
    }
    if removed > 0 {
        replace(path, &packed.pack(&kept)?)?;
    }
    Ok(Redacted { records: removed, files: 0 })
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn remove(path: &Path) -> io::Result<Redacted> {
    fs::remove_file(path)?;
    Ok(Redacted { files: 1, ..Redacted::default() })
}

/// Takes erased users out of the report that stands beside a file: a refusal may quote the line.
fn redact_report(path: &Path, mut report: Value, erased: Erased<'_>) -> io::Result<Redacted> {
    let removed = blank(&mut report, erased);
    if removed > 0 {
        replace(path, &serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(Redacted { records: removed, files: 0 })
}

/// Blanks the strings of a document that name an erased user, and counts them.
fn blank(value: &mut Value, erased: Erased<'_>) -> u64 {
    match value {
        Value::String(text) if erased.is_named_in(text) => {
            TAKEN_OUT.clone_into(text);
            1
        }
        Value::Array(list) => list.iter_mut().map(|one| blank(one, erased)).sum(),
        Value::Object(map) => map.values_mut().map(|one| blank(one, erased)).sum(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Writes a file anew beside the old one and puts it in its place.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.to_path_buf().into_os_string();
    aside.push(".redacted");
    let mut file = fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

/// Whether the bytes hold values in a form of their own: Parquet, zip.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PAR1")
}

/// Whether the bytes are no lines of text: gzip, zstd, zip, Parquet, a JSON document over lines, or UTF-16.
fn is_packed(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff"];
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    is_binary(bytes) || MAGIC.iter().any(|magic| bytes.starts_with(magic)) || is_one_document(text)
}

/// Whether a file names an erased user as an import reads it. A file that no import reads counts as naming one: what cannot be
/// looked into cannot be kept.
fn names_erased(path: &Path, presets: Option<&Path>, erased: Erased<'_>) -> bool {
    let name = file_name(path);
    // The inbox numbers files of one name.
    let numbered = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit_once('.').filter(|(_, end)| numbered(end)).map_or(name.as_str(), |(plain, _)| plain);
    let Ok(plan) = mercer_import::inbox::guess_plan(name, presets) else { return true };
    let mut finder = Finder { erased, found: false, counts: DryRun::default() };
    let read = run(path, name, &plan, true, &mut finder, &mut |_| {});
    finder.found || read.is_err()
}

/// Looks for erased users among the documents of a file.
struct Finder<'a> {
    erased: Erased<'a>,
    found: bool,
    counts: DryRun,
}

impl Sink for Finder<'_> {
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        self.counts.items(items)
    }

    fn deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        self.counts.deleted_items(deleted)
    }

    fn users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        self.found |= users.iter().any(|user| self.erased.is(user.id.as_str()));
        self.counts.users(users)
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        self.found |= interactions.iter().any(|line| {
            line.user.as_ref().is_some_and(|user| self.erased.is(user.as_str()))
                || line.session.as_ref().is_some_and(|session| self.erased.is(session.as_str()))
        });
        self.counts.interactions(interactions)
    }

    fn knows_item(&self, _: &ItemId) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
