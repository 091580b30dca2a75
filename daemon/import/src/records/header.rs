//! Headers: finds the section of a preset that fits a file, and the columns of that section. Explains why no section
//! fits.

use mercer_shared::problem::{Code, Problem};

use crate::preset::{FileSpec, Preset};
use crate::validate::clip;

/// Columns that are shown of a header.
const SHOWN: usize = 40;

/// The position of a column in a header: by its name or one of its aliases, else by the same in other case.
pub(super) fn find(file: &FileSpec, column: &str, header: &[String]) -> Option<usize> {
    let aliases = file.aliases.get(column).map(Vec::as_slice).unwrap_or_default();
    let names = || std::iter::once(column).chain(aliases.iter().map(String::as_str));
    let exact = names().find_map(|name| header.iter().position(|known| known == name));
    exact.or_else(|| names().find_map(|name| header.iter().position(|known| known.eq_ignore_ascii_case(name))))
}

fn missing<'a>(file: &'a FileSpec, header: &[String]) -> Vec<&'a str> {
    file.requires.iter().filter(|column| find(file, column, header).is_none()).map(String::as_str).collect()
}

/// The section whose columns a header has all.
pub(super) fn choose(preset: &Preset, header: &[String]) -> Option<usize> {
    preset.file.iter().position(|file| file.columns.is_empty() && missing(file, header).is_empty())
}

fn shown(header: &[String]) -> String {
    header.iter().take(SHOWN).map(|name| clip(name)).collect::<Vec<_>>().join(", ")
}

/// A hint at shipped presets that read a file with this header.
fn hint(header: &[String]) -> String {
    let fits = |preset: &Preset| choose(preset, header).is_some();
    match &Preset::shipped_where(fits)[..] {
        [] => String::new(),
        names => format!("; such a file is read by preset {}", names.join(" or ")),
    }
}

/// The problem for a header that no section fits: the missing columns of the nearest section.
pub(super) fn no_section(preset: &Preset, name: &str, header: &[String]) -> Problem {
    let headed = preset.file.iter().filter(|file| file.columns.is_empty());
    let nearest = headed.min_by_key(|file| missing(file, header).len());
    let detail = match nearest {
        Some(file) => format!("{name} has no column {}; it has {}", missing(file, header).join(", "), shown(header)),
        None => {
            let files: Vec<String> =
                preset.file.iter().map(|file| format!("{} ({} columns)", file.name, file.columns.len())).collect();
            let files = files.join(", ");
            let (count, fields) = (header.len(), shown(header));
            format!("{name} is none of the files of this preset: {files}; its first line has {count} fields: {fields}")
        }
    };
    Problem::new(Code::MissingColumns, format!("{detail}{}", hint(header)))
}

/// The problem of a file with a header where the section names columns of a file without one.
pub(super) fn has_header(file: &FileSpec, name: &str, header: &[String]) -> Problem {
    let detail = format!(
        "{name} has a header ({}); section `{}` of the preset reads files without one, with the columns {}{}",
        shown(header),
        file.name,
        file.columns.join(", "),
        hint(header)
    );
    Problem::new(Code::MissingColumns, detail)
}

/// The problem of a file whose lines all have another number of fields than the section has columns.
pub(super) fn other_width(file: &FileSpec, separator: &str, name: &str, header: &[String]) -> Problem {
    let detail = format!(
        "{name} has no line of {} fields separated by `{separator}`, as section `{}` of the preset reads; its first line holds {}{}",
        file.columns.len(),
        file.name,
        shown(header),
        hint(header)
    );
    Problem::new(Code::MissingColumns, detail)
}

/// Whether the first line of a file that should have no header is a header: it repeats the names of the columns, or has
/// a word in place of a time and no digit anywhere.
pub(super) fn is_header(file: &FileSpec, fields: &[String]) -> bool {
    let plain =
        |name: &str| -> String { name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let named = file.columns.iter().zip(fields).filter(|(column, field)| plain(column) == plain(field)).count();
    if named * 2 > file.columns.len() {
        return true;
    }
    let time = file.time.as_ref().and_then(|time| time.column.as_ref());
    let time = time.and_then(|time| file.columns.iter().position(|column| column == time));
    let word = time.and_then(|place| fields.get(place)).is_some_and(|field| field.chars().any(char::is_alphabetic));
    word && !fields.iter().any(|field| field.chars().any(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_records() {
        let file: FileSpec = toml::from_str(
            "name = \"f\"\nrequires = []\ncolumns = [\"UserID\", \"Movie ID\", \"at\"]\ntime = { column = \"at\" }",
        )
        .unwrap();
        let is = |fields: [&str; 3]| is_header(&file, &fields.map(str::to_owned));
        assert!(is(["user_id", "movie_id", "2020"]), "the names repeat");
        assert!(is(["customer", "film", "when"]), "no digit, and a word for the time");
        assert!(!is(["1", "2", "yesterday"]) && !is(["ann", "lamp", "2020-01-01"]) && !is(["ann", "lamp", ""]));
    }
}
