//! Takes erased users out of the files that the inbox keeps after reading them.
//!
//! A file is a copy of what a shop sent; the log has what was read from it. So a record is removed whole where one of its fields is
//! the id of an erased user, and a file that cannot be taken apart (compressed, Parquet, a JSON list) is removed whole where it names
//! one. A field that is equal to an id by chance costs its record in the copy, and nothing in the log.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mercer_import::{DryRun, Outcome, Sink, run};
use mercer_shared::ids::ItemId;
use mercer_shared::wire::{DeletedItem, Interaction, Item, User};

/// Tells ids of erased users, and of the visits that went with them.
pub(crate) type IsErased<'a> = dyn Fn(&str) -> bool + 'a;

/// What a redaction removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Redacted {
    /// Records that were removed from files that stay.
    pub(crate) records: u64,
    /// Files that were removed whole.
    pub(crate) files: u64,
}

/// The directories of files that were read.
pub(crate) fn archives(state: &Path) -> [PathBuf; 2] {
    ["done", "rejected"].map(|name| state.join("inbox").join(name))
}

/// Redacts every file in the archives of the inbox.
///
/// # Errors
/// The disk's; files before stay redacted.
pub(crate) fn archived(state: &Path, presets: Option<&Path>, is_erased: &IsErased<'_>) -> io::Result<Redacted> {
    let mut all = Redacted::default();
    for dir in archives(state) {
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
                let one = file(&path, presets, is_erased)?;
                all = Redacted { records: all.records + one.records, files: all.files + one.files };
            }
        }
    }
    Ok(all)
}

/// Redacts one file.
///
/// # Errors
/// The disk's; the file is as it was then.
pub(crate) fn file(path: &Path, presets: Option<&Path>, is_erased: &IsErased<'_>) -> io::Result<Redacted> {
    let bytes = fs::read(path)?;
    if is_opaque(&bytes) {
        if !names_erased(path, presets, is_erased) {
            return Ok(Redacted::default());
        }
        fs::remove_file(path)?;
        return Ok(Redacted { files: 1, ..Redacted::default() });
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut removed = 0;
    for record in records(&bytes) {
        if fields(record).iter().any(|field| is_erased(field)) {
            removed += 1;
        } else {
            kept.extend_from_slice(record);
        }
    }
    if removed > 0 {
        replace(path, &kept)?;
    }
    Ok(Redacted { records: removed, files: 0 })
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

/// Whether the bytes are no lines of text: gzip, zstd, zip, Parquet, a JSON list, or another encoding than UTF-8's relatives.
fn is_opaque(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 6] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"\xfe\xff"];
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    MAGIC.iter().any(|magic| bytes.starts_with(magic)) || text.starts_with(b"[") || is_pretty_json(text)
}

/// Whether a JSON document goes over several lines.
fn is_pretty_json(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    text.starts_with(b"{") && serde_json::from_slice::<serde_json::Value>(first).is_err()
}

/// Cuts a text into records: lines, where a line break between quotes belongs to its field. Each keeps its line break.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut start, mut quoted) = (Vec::new(), 0, false);
    let json = bytes.trim_ascii_start().starts_with(b"{");
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if !json => quoted = !quoted,
            b'\n' if !quoted => {
                out.push(&bytes[start..=place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    if start < bytes.len() {
        out.push(&bytes[start..]);
    }
    out
}

/// The fields of a record that may be an id: every string and number of a JSON document, else what stands between separators.
fn fields(record: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(record)
        && value.is_object()
    {
        leaves(&value, &mut out);
        return out;
    }
    let text = String::from_utf8_lossy(record);
    let mut field = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' | ';' | '\t' | '|' | '\n' | '\r' | ':' if !quoted => push(&mut field, &mut out),
            letter => field.push(letter),
        }
    }
    push(&mut field, &mut out);
    out
}

/// Ends a field; a number with an empty fraction is also given without it, as presets may read it.
fn push(field: &mut String, out: &mut Vec<String>) {
    let trimmed = field.trim();
    if !trimmed.is_empty() {
        out.push(trimmed.to_owned());
        if let Some(whole) = trimmed.strip_suffix(".0") {
            out.push(whole.to_owned());
        }
    }
    field.clear();
}

fn leaves(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => out.push(text.clone()),
        serde_json::Value::Number(number) => push(&mut number.to_string(), out),
        serde_json::Value::Array(list) => list.iter().for_each(|one| leaves(one, out)),
        serde_json::Value::Object(map) => map.values().for_each(|one| leaves(one, out)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}

/// Whether a file names an erased user as an import reads it. A file that no import reads counts as naming one: what cannot be
/// looked into cannot be kept.
fn names_erased(path: &Path, presets: Option<&Path>, is_erased: &IsErased<'_>) -> bool {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if name.ends_with(".report.json") {
        return fs::read(path).is_ok_and(|bytes| {
            serde_json::from_slice(&bytes).is_ok_and(|value: serde_json::Value| {
                let mut words = Vec::new();
                leaves(&value, &mut words);
                words.iter().flat_map(|text| text.split('`')).any(is_erased)
            })
        });
    }
    // The inbox numbers files of one name.
    let numbered = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit_once('.').filter(|(_, end)| numbered(end)).map_or(name.as_str(), |(plain, _)| plain);
    let Ok(plan) = mercer_import::inbox::guess_plan(name, presets) else { return true };
    let mut finder = Finder { is_erased, found: false, counts: DryRun::default() };
    let read = run(path, name, &plan, true, &mut finder, &mut |_| {});
    finder.found || read.is_err()
}

/// Looks for erased users among the documents of a file.
struct Finder<'a> {
    is_erased: &'a IsErased<'a>,
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
        self.found |= users.iter().any(|user| (self.is_erased)(user.id.as_str()));
        self.counts.users(users)
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        self.found |= interactions.iter().any(|line| {
            line.user.as_ref().is_some_and(|user| (self.is_erased)(user.as_str()))
                || line.session.as_ref().is_some_and(|session| (self.is_erased)(session.as_str()))
        });
        self.counts.interactions(interactions)
    }

    fn knows_item(&self, _: &ItemId) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(name: &str, bytes: &[u8]) -> (Option<String>, Redacted) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let done = file(&path, None, &|id| id == "vera" || id == "17850").unwrap();
        (fs::read(&path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()), done)
    }

    #[test]
    fn records_of_an_erased_user_go_and_the_others_stay() {
        let csv =
            b"user,item,text\nvera,1,\"two\nlines, of vera\"\nwim,2,\"kept\n\"\n\"vera\",3,\n17850.0,4,\nveras,5,\n";
        let (left, done) = redacted("a.csv", csv);
        assert_eq!(left.unwrap(), "user,item,text\nwim,2,\"kept\n\"\nveras,5,\n");
        assert_eq!(done, Redacted { records: 3, files: 0 });
        let ndjson = "{\"user\":\"vera\",\"text\":\"a\"}\n{\"user\":\"wim\",\"n\":[17850]}\n{\"user\":\"zoe\",\"text\":\"said \\\"vera\\\"\"}\n";
        let (left, done) = redacted("interactions.ndjson", ndjson.as_bytes());
        assert_eq!(left.unwrap(), "{\"user\":\"zoe\",\"text\":\"said \\\"vera\\\"\"}\n");
        assert_eq!(done.records, 2);
        let (left, done) = redacted("b.csv", b"user,item\nwim,2\n");
        assert_eq!((left.as_deref(), done), (Some("user,item\nwim,2\n"), Redacted::default()));
    }

    #[test]
    fn a_file_that_cannot_be_taken_apart_goes_whole_where_it_names_one() {
        let line = |user: &str| format!(r#"{{"user":"{user}","type":"view","item":"1","at":"2026-01-01T00:00:00Z"}}"#);
        let list = |user: &str| format!("[{}]", line(user));
        assert_eq!(redacted("interactions.ndjson", list("vera").as_bytes()).1.files, 1);
        let (left, done) = redacted("interactions.ndjson.2", list("wim").as_bytes());
        assert!(left.is_some() && done == Redacted::default());
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(format!("{}\n", line("vera")).as_bytes()).unwrap();
        assert_eq!(redacted("interactions.ndjson.gz", &packed.finish().unwrap()).1.files, 1);
    }
}
