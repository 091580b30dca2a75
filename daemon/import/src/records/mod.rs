//! Records of a file, whatever holds them: separated text, NDJSON or JSON, Parquet. A record gives the columns that the
//! preset's section uses, by number.

mod delimited;
mod fields;
mod json;
mod parquet;
mod row;
mod sniff;

use mercer_shared::problem::{Code, Problem};

use crate::preset::{FileSpec, Preset};
use crate::source::Source;
use crate::validate::Refusal;

pub(crate) use fields::Fields;
pub(crate) use row::Row;

/// What one step of reading gives.
pub(crate) enum Step<'a> {
    /// A record of a section: usually one row, of an NDJSON document with lists one for each member.
    Record {
        /// The line it begins in, from 1, the header counted; the row for Parquet.
        line: u64,
        /// Which section of the preset reads it.
        section: usize,
        /// Its rows, through [`Records::places`].
        rows: &'a [Fields],
    },
    /// Something that is no record.
    Bad(u64, Refusal),
    /// The end.
    End,
}

/// Records of one file.
pub(crate) struct Records {
    form: Form,
    places: Vec<Vec<Option<usize>>>,
    /// How the file is read, for the report.
    pub(crate) format: String,
}

enum Form {
    Delimited(Box<delimited::Delimited>),
    Json(Box<json::Json>),
    Parquet(Box<parquet::Parquet>),
}

impl Records {
    /// Opens a file with a preset; `used` holds the columns that each section uses.
    ///
    /// # Errors
    /// `unknown-format`, `missing-columns`, `bad-file`, `bad-config`.
    pub(crate) fn open(preset: &Preset, used: &[Vec<String>], mut source: Source) -> Result<Self, Problem> {
        let found = sniff::format(&mut source)?;
        let format = source.describe(found.name());
        let (form, places) = match found {
            sniff::Format::Parquet => {
                let (parquet, section, places) = parquet::Parquet::open(preset, used, source)?;
                (Form::Parquet(Box::new(parquet)), one_of(used.len(), section, places))
            }
            sniff::Format::Json(form) => {
                // Rows are made in the order of the used columns.
                let places = used.iter().map(|columns| (0..columns.len()).map(Some).collect()).collect();
                (Form::Json(Box::new(json::Json::new(preset, used, source, form))), places)
            }
            sniff::Format::Text => {
                let (text, section, places) = delimited::Delimited::open(preset, used, source)?;
                (Form::Delimited(Box::new(text)), one_of(used.len(), section, places))
            }
        };
        Ok(Self { form, places, format })
    }

    /// Where the used columns of a section stand among the fields of its rows.
    pub(crate) fn places(&self, section: usize) -> &[Option<usize>] {
        &self.places[section]
    }

    /// The sections that records may be of; known before reading for all but NDJSON.
    pub(crate) fn section(&self) -> Option<usize> {
        match &self.form {
            Form::Delimited(text) => Some(text.section()),
            Form::Parquet(parquet) => Some(parquet.section()),
            Form::Json(_) => None,
        }
    }

    /// Records read that were not in the file's own encoding.
    pub(crate) fn fallbacks(&self) -> u64 {
        match &self.form {
            Form::Delimited(text) => text.fallbacks(),
            _ => 0,
        }
    }

    /// The next record.
    ///
    /// # Errors
    /// `bad-file` where the file breaks; everything before was given.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, Problem> {
        match &mut self.form {
            Form::Delimited(text) => text.step(),
            Form::Json(json) => json.step(),
            Form::Parquet(parquet) => parquet.step(),
        }
    }
}

fn one_of(sections: usize, section: usize, places: Vec<Option<usize>>) -> Vec<Vec<Option<usize>>> {
    let mut all = vec![Vec::new(); sections];
    all[section] = places;
    all
}

/// Where a column stands in a header: by its name or one of its aliases, else by the same in other case.
fn find(file: &FileSpec, column: &str, header: &[String]) -> Option<usize> {
    let aliases = file.aliases.get(column).map(Vec::as_slice).unwrap_or_default();
    let names = || std::iter::once(column).chain(aliases.iter().map(String::as_str));
    let exact = names().find_map(|name| header.iter().position(|known| known == name));
    exact.or_else(|| names().find_map(|name| header.iter().position(|known| known.eq_ignore_ascii_case(name))))
}

fn missing<'a>(file: &'a FileSpec, header: &[String]) -> Vec<&'a str> {
    file.requires.iter().filter(|column| find(file, column, header).is_none()).map(String::as_str).collect()
}

/// The section whose columns a header has all.
fn choose(preset: &Preset, header: &[String]) -> Option<usize> {
    preset.file.iter().position(|file| file.columns.is_empty() && missing(file, header).is_empty())
}

/// The problem of a header that no section fits: what the nearest one lacks.
fn no_section(preset: &Preset, name: &str, header: &[String]) -> Problem {
    let headed = preset.file.iter().filter(|file| file.columns.is_empty());
    let nearest = headed.min_by_key(|file| missing(file, header).len());
    let shown: Vec<String> = header.iter().take(40).map(|name| crate::validate::clip(name)).collect();
    let detail = match nearest {
        Some(file) => format!("{name} has no column {}; it has {}", missing(file, header).join(", "), shown.join(", ")),
        None => {
            let files: Vec<String> =
                preset.file.iter().map(|file| format!("{} ({} columns)", file.name, file.columns.len())).collect();
            format!(
                "{name} is none of the files of this preset: {}; its first line has {} fields",
                files.join(", "),
                header.len()
            )
        }
    };
    Problem::new(Code::MissingColumns, detail)
}
