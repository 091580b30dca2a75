//! Records of a table, whatever holds it: CSV with any separator, NDJSON objects, Parquet. A record gives the columns that a
//! preset uses, in the preset's order.

use std::io::{BufRead, Read as _};

use mercer_shared::problem::{Code, Problem};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::bytes::{Line, Source, read_line, text};
use crate::document::MAX_LINE_BYTES;
use crate::preset::{FileSpec, Preset};
use crate::validate::Refusal;

/// The pseudo-column that holds the number of the line.
const LINE_COLUMN: &str = "@line";

/// What one step of reading gives.
pub enum Step {
    /// A record: line number and the used columns.
    Record(u64, Vec<String>),
    /// A line that is no record.
    Bad(u64, Refusal),
    /// The end.
    End,
}

/// Records of one file.
pub struct Records {
    form: Form,
    /// Columns in the preset's order.
    columns: Vec<String>,
    /// Name of the form for the report.
    pub format: String,
}

enum Form {
    Csv {
        reader: Box<csv::Reader<Box<dyn BufRead + Send>>>,
        places: Vec<Option<usize>>,
        record: csv::ByteRecord,
        width: usize,
    },
    Split {
        reader: Box<dyn BufRead + Send>,
        separator: String,
        places: Vec<Option<usize>>,
        width: usize,
        line: u64,
        buffer: Vec<u8>,
    },
    Json {
        reader: Box<dyn BufRead + Send>,
        line: u64,
        buffer: Vec<u8>,
    },
    Parquet {
        reader: Box<ParquetRecordBatchReader>,
        places: Vec<Option<usize>>,
        rows: std::vec::IntoIter<Vec<String>>,
        line: u64,
    },
}

fn bad_file(detail: impl Into<String>) -> Problem {
    Problem::new(Code::BadFile, detail)
}

/// A section of the preset that fits the columns, with their places.
fn choose<'a>(preset: &'a Preset, file_name: &str, header: &[String]) -> Result<&'a FileSpec, Problem> {
    let missing = |file: &FileSpec| -> Vec<String> {
        file.requires.iter().filter(|column| !header.contains(column)).cloned().collect()
    };
    let fits = |file: &&FileSpec| file.columns.is_empty() && missing(file).is_empty();
    if let Some(file) = preset.file.iter().find(fits) {
        return Ok(file);
    }
    let nearest = preset.file.iter().filter(|file| file.columns.is_empty()).min_by_key(|file| missing(file).len());
    Err(match nearest {
        Some(file) => Problem::new(
            Code::MissingColumns,
            format!("{file_name} has no column {}; it has {}", missing(file).join(", "), header.join(", ")),
        ),
        None => {
            let names: Vec<&str> = preset.file.iter().filter_map(|file| file.file_name.as_deref()).collect();
            Problem::new(
                Code::MissingColumns,
                format!("{file_name} is none of the preset's files, named {}", names.join(", ")),
            )
        }
    })
}

fn places(columns: &[String], header: &[String]) -> Vec<Option<usize>> {
    columns.iter().map(|column| header.iter().position(|name| name == column)).collect()
}

/// Separator of a header line: the most frequent of the usual ones.
fn sniff_separator(line: &str) -> u8 {
    let count = |separator: &u8| line.bytes().filter(|byte| byte == separator).count();
    [b',', b';', b'\t', b'|'].into_iter().max_by_key(count).unwrap_or(b',')
}

impl Records {
    /// Opens a file with a preset; says which section of the preset fits.
    ///
    /// # Errors
    /// `missing-columns`, `bad-file`.
    pub fn open<'a>(
        preset: &'a Preset,
        file_name: &str,
        mut source: Source,
    ) -> Result<(Self, &'a FileSpec, Source), Problem> {
        let compressed = source.compression.name().map(|name| format!(", {name}")).unwrap_or_default();
        let head = peek(&mut source).map_err(|error| bad_file(format!("{file_name}: {error}")))?;
        if head.starts_with(b"PAR1") {
            return Self::parquet(preset, file_name, source, &compressed);
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(Problem::new(Code::UnknownFormat, format!("{file_name} is UTF-16; convert it to UTF-8")));
        }
        let bom = if head.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
        source.reader.consume(bom);
        let start = head[bom..].iter().copied().find(|byte| !byte.is_ascii_whitespace());
        if start == Some(b'{') {
            let first = head[bom..].split(|byte| *byte == b'\n').next().unwrap_or_default();
            let names: Vec<String> = match serde_json::from_slice::<serde_json::Value>(first) {
                Ok(value) => preset
                    .file
                    .iter()
                    .flat_map(FileSpec::used_columns)
                    .filter(|c| !lookup(&value, c).is_empty())
                    .collect(),
                Err(_) => Vec::new(),
            };
            let file = match choose(preset, file_name, &names) {
                Ok(file) => file,
                // The first line may be the broken one: then the file's name has to tell, or the first section.
                Err(problem) if names.is_empty() => preset
                    .file
                    .iter()
                    .find(|file| file_name.contains(&file.name))
                    .or_else(|| preset.file.first())
                    .ok_or(problem)?,
                Err(problem) => return Err(problem),
            };
            let reader = std::mem::replace(&mut source.reader, Box::new(std::io::empty()));
            let form = Form::Json { reader, line: 0, buffer: Vec::new() };
            return Ok((
                Self { form, columns: file.used_columns(), format: format!("ndjson{compressed}") },
                file,
                source,
            ));
        }
        // Files without a header are told by their name.
        let named = preset.file.iter().find(|file| {
            !file.columns.is_empty() && file.file_name.as_ref().is_some_and(|part| file_name.contains(part.as_str()))
        });
        let first =
            String::from_utf8_lossy(head[bom..].split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        let reader = std::mem::replace(&mut source.reader, Box::new(std::io::empty()));
        if let Some(file) = named
            && let Some(separator) = file.delimiter.clone().filter(|d| d.len() > 1 || d == "|")
        {
            let columns = file.used_columns();
            let form = Form::Split {
                reader,
                separator,
                places: places(&columns, &file.columns),
                width: file.columns.len(),
                line: 0,
                buffer: Vec::new(),
            };
            return Ok((Self { form, columns, format: format!("text{compressed}") }, file, source));
        }
        let said = named.and_then(|file| file.delimiter.as_deref()).and_then(|d| d.bytes().next());
        let separator = said.unwrap_or_else(|| sniff_separator(&first));
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(named.is_none())
            .flexible(true)
            .from_reader(reader);
        let (file, header) = match named {
            Some(file) => (file, file.columns.clone()),
            None => {
                let header = csv.byte_headers().map_err(|error| bad_file(format!("{file_name}: {error}")))?;
                let header: Vec<String> = header.iter().map(|name| text(name).trim().to_owned()).collect();
                (choose(preset, file_name, &header)?, header)
            }
        };
        let columns = file.used_columns();
        let form = Form::Csv {
            reader: Box::new(csv),
            places: places(&columns, &header),
            record: csv::ByteRecord::new(),
            width: header.len(),
        };
        Ok((Self { form, columns, format: format!("csv{compressed}") }, file, source))
    }

    fn parquet<'a>(
        preset: &'a Preset,
        file_name: &str,
        mut source: Source,
        compressed: &str,
    ) -> Result<(Self, &'a FileSpec, Source), Problem> {
        // Parquet is read from its end, so the whole file is held; its own compression keeps it small.
        let mut all = Vec::new();
        let bad = |error: &dyn std::fmt::Display| bad_file(format!("{file_name}: {error}"));
        source.reader.read_to_end(&mut all).map_err(|error| bad(&error))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(::bytes::Bytes::from(all)).map_err(|error| bad(&error))?;
        let header: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let file = choose(preset, file_name, &header)?;
        let columns = file.used_columns();
        let reader = builder.with_batch_size(8_192).build().map_err(|error| bad(&error))?;
        let form = Form::Parquet {
            reader: Box::new(reader),
            places: places(&columns, &header),
            rows: Vec::new().into_iter(),
            line: 0,
        };
        Ok((Self { form, columns, format: format!("parquet{compressed}") }, file, source))
    }

    /// The next record.
    ///
    /// # Errors
    /// `bad-file` where the file breaks off; everything before was given.
    pub fn step(&mut self) -> Result<Step, Problem> {
        let columns = &self.columns;
        match &mut self.form {
            Form::Csv { reader, places, record, width } => {
                let more = reader.read_byte_record(record).map_err(|error| bad_file(error.to_string()))?;
                let line = record.position().map_or(0, csv::Position::line);
                if !more {
                    return Ok(Step::End);
                }
                if record.as_slice().len() > MAX_LINE_BYTES {
                    let detail =
                        format!("the record has {} bytes, at most {MAX_LINE_BYTES} are read", record.as_slice().len());
                    return Ok(Step::Bad(line, (Code::LineTooLong, detail)));
                }
                if record.len() != *width {
                    let detail = format!("{} fields instead of {width}", record.len());
                    return Ok(Step::Bad(line, (Code::WrongType, detail)));
                }
                let cell = |place: Option<usize>| place.and_then(|p| record.get(p)).map(text).unwrap_or_default();
                Ok(Step::Record(line, cells(columns, places, line, cell)))
            }
            Form::Split { reader, separator, places, width, line, buffer } => {
                *line += 1;
                match read_line(reader, buffer).map_err(|error| bad_file(format!("line {line}: {error}")))? {
                    Line::End => Ok(Step::End),
                    Line::TooLong(length) => Ok(Step::Bad(*line, too_long(length))),
                    Line::Whole => {
                        let whole = text(buffer);
                        let fields: Vec<&str> = whole.split(separator.as_str()).collect();
                        if fields.len() != *width {
                            let detail = format!("{} fields instead of {width}", fields.len());
                            return Ok(Step::Bad(*line, (Code::WrongType, detail)));
                        }
                        let cell = |place: Option<usize>| place.map(|p| fields[p].to_owned()).unwrap_or_default();
                        Ok(Step::Record(*line, cells(columns, places, *line, cell)))
                    }
                }
            }
            Form::Json { reader, line, buffer } => loop {
                *line += 1;
                match read_line(reader, buffer).map_err(|error| bad_file(format!("line {line}: {error}")))? {
                    Line::End => return Ok(Step::End),
                    Line::TooLong(length) => return Ok(Step::Bad(*line, too_long(length))),
                    Line::Whole if buffer.iter().all(u8::is_ascii_whitespace) => {}
                    Line::Whole => {
                        return Ok(match crate::document::parse_line::<serde_json::Value>(buffer) {
                            Ok(value) => {
                                let number = *line;
                                let row = columns.iter().map(|column| match column.as_str() {
                                    LINE_COLUMN => number.to_string(),
                                    column => lookup(&value, column),
                                });
                                Step::Record(number, row.collect())
                            }
                            Err(refusal) => Step::Bad(*line, refusal),
                        });
                    }
                }
            },
            Form::Parquet { reader, places, rows, line } => loop {
                if let Some(row) = rows.next() {
                    *line += 1;
                    return Ok(Step::Record(*line, row));
                }
                let Some(batch) = reader.next() else { return Ok(Step::End) };
                let batch = batch.map_err(|error| bad_file(format!("row {}: {error}", *line + 1)))?;
                *rows = batch_rows(&batch, columns, places, *line)?.into_iter();
            },
        }
    }
}

fn too_long(length: u64) -> Refusal {
    (Code::LineTooLong, format!("the line has {length} bytes, at most {MAX_LINE_BYTES} are read"))
}

fn cells(
    columns: &[String],
    places: &[Option<usize>],
    line: u64,
    cell: impl Fn(Option<usize>) -> String,
) -> Vec<String> {
    let one = |(column, place): (&String, &Option<usize>)| {
        if column == LINE_COLUMN { line.to_string() } else { cell(*place) }
    };
    columns.iter().zip(places).map(one).collect()
}

fn batch_rows(
    batch: &arrow::record_batch::RecordBatch,
    columns: &[String],
    places: &[Option<usize>],
    line: u64,
) -> Result<Vec<Vec<String>>, Problem> {
    let options = arrow::util::display::FormatOptions::default().with_null("");
    let formatters = places
        .iter()
        .map(|place| match place {
            None => Ok(None),
            Some(place) => {
                arrow::util::display::ArrayFormatter::try_new(batch.column(*place).as_ref(), &options).map(Some)
            }
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad_file(error.to_string()))?;
    Ok((0..batch.num_rows())
        .map(|row| {
            let number = line + row as u64 + 1;
            columns
                .iter()
                .zip(&formatters)
                .map(|(column, formatter)| match (column.as_str(), formatter) {
                    (LINE_COLUMN, _) => number.to_string(),
                    (_, Some(formatter)) => formatter.value(row).to_string(),
                    (_, None) => String::new(),
                })
                .collect()
        })
        .collect())
}

/// The first bytes, as far as one read gives them.
fn peek(source: &mut Source) -> std::io::Result<Vec<u8>> {
    Ok(source.reader.fill_buf()?.to_vec())
}

/// The value at a dotted path, as text; the first of a list; empty where there is none.
fn lookup(value: &serde_json::Value, path: &str) -> String {
    use serde_json::Value;
    let mut at = value;
    for key in path.split('.') {
        match at.get(key) {
            Some(inner) => at = inner,
            None => return String::new(),
        }
    }
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    };
    match at {
        Value::Array(list) => list.first().map(plain).unwrap_or_default(),
        other => plain(other),
    }
}
