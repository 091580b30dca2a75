//! Reads records from a file of any format: separated text, JSON, Parquet. A record holds the columns that the preset's
//! section uses, by number.

use mercer_shared::problem::Problem;

use super::delimited::{Delimited, PhysicalLines};
use super::json::Json;
use super::parquet::Parquet;
use super::record::Step;
use super::sniff::{self, Format};
use crate::preset::Preset;
use crate::source::Source;

/// Records of one file.
pub(crate) struct Records {
    form: Form,
    places: Vec<Vec<Option<usize>>>,
    /// The format, for the report.
    pub(crate) format: String,
}

enum Form {
    Delimited(Box<Delimited>),
    Json(Box<Json>),
    Parquet(Box<Parquet>),
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
            Format::Parquet => {
                let (parquet, places) = Parquet::open(preset, used, source)?.split(used.len());
                (Form::Parquet(parquet), places)
            }
            Format::Json(layout) => {
                // Rows are made in the order of the used columns.
                let places = used.iter().map(|columns| (0..columns.len()).map(Some).collect()).collect();
                (Form::Json(Box::new(Json::new(preset, used, source, layout))), places)
            }
            Format::Text => {
                let (text, places) = Delimited::open(preset, used, source)?.split(used.len());
                (Form::Delimited(text), places)
            }
        };
        Ok(Self { form, places, format })
    }

    /// The positions of the used columns of a section among the fields of its rows.
    pub(crate) fn places(&self, section: usize) -> &[Option<usize>] {
        &self.places[section]
    }

    /// The section of all records; `None` for JSON, where every document chooses.
    pub(crate) fn section(&self) -> Option<usize> {
        match &self.form {
            Form::Delimited(text) => Some(text.section()),
            Form::Parquet(parquet) => Some(parquet.section()),
            Form::Json(_) => None,
        }
    }

    /// What the lines of a separated text were, beside records of one line.
    pub(crate) fn physical_lines(&self) -> Option<&PhysicalLines> {
        match &self.form {
            Form::Delimited(text) => Some(text.physical_lines()),
            _ => None,
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
