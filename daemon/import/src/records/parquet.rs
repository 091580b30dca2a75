//! Parquet: row groups as a stream, only the columns that are used.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::atomic::Ordering;

use arrow::array::Array;
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mercer_shared::problem::{Code, Problem};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::fields::Fields;
use super::header::{choose, find, no_section};
use super::opened::Opened;
use super::record::{RecordPlace, Step};
use crate::preset::Preset;
use crate::source::{Compression, Source};

/// Rows decoded at once.
const ROWS: usize = 4_096;
/// Most bytes that a compressed Parquet file may unpack to.
const MAX_UNPACKED: u64 = 64 << 30;

/// Records of a Parquet file.
pub(super) struct Parquet {
    reader: ParquetRecordBatchReader,
    batch: Vec<Fields>,
    next: usize,
    row: u64,
    rows: u64,
    section: usize,
    consumed: std::sync::Arc<std::sync::atomic::AtomicU64>,
    total: u64,
}

/// The decoder asserts what a damaged file breaks: such a panic is the file's fault, and the decoder is not used after it.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).map_err(|cause| {
        let said = cause.downcast_ref::<String>().cloned();
        said.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it is damaged".to_owned())
    })
}

fn bad_file(name: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::BadFile, format!("{name}: {error}"))
}

/// The file itself, or what it unpacks to: Parquet is read from its end.
fn seekable(source: &mut Source) -> std::io::Result<File> {
    if source.compression == Compression::None {
        return File::open(&source.path);
    }
    let mut file = tempfile::tempfile()?;
    let mut unpacked = source.take_reader().take(MAX_UNPACKED);
    std::io::copy(&mut unpacked, &mut file)?;
    if unpacked.limit() == 0 {
        return Err(std::io::Error::other(format!("it unpacks to more than {MAX_UNPACKED} bytes")));
    }
    file.flush()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

impl Parquet {
    /// Opens a file.
    ///
    /// # Errors
    /// `bad-file` for a damaged one, `missing-columns` where no section of the preset reads it.
    pub(super) fn open(preset: &Preset, used: &[Vec<String>], mut source: Source) -> Result<Opened<Self>, Problem> {
        let name = source.name.clone();
        let file = seekable(&mut source).map_err(|error| bad_file(&name, &error))?;
        let builder =
            guarded(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(|error| bad_file(&name, &error))?;
        let builder = builder.map_err(|error| bad_file(&name, &error))?;
        let header: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let section = choose(preset, &header).ok_or_else(|| no_section(preset, &name, &header))?;
        let wanted: Vec<Option<usize>> =
            used[section].iter().map(|column| find(&preset.file[section], column, &header)).collect();
        let mut roots: Vec<usize> = wanted.iter().flatten().copied().collect();
        roots.sort_unstable();
        roots.dedup();
        // The reader gives the chosen columns in the order of the file.
        let places = wanted.iter().map(|root| roots.binary_search(root.as_ref()?).ok()).collect();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        let build = || builder.with_projection(mask).with_batch_size(ROWS).build();
        let reader =
            guarded(build).map_err(|error| bad_file(&name, &error))?.map_err(|error| bad_file(&name, &error))?;
        let (consumed, total) = (source.consumed.clone(), source.total);
        let batch = Vec::new();
        let form = Self { reader, batch, next: 0, row: 0, rows, section, consumed, total };
        Ok(Opened { form, section, places })
    }

    pub(super) const fn section(&self) -> usize {
        self.section
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        while self.next == self.batch.len() {
            let broken = |error: &dyn std::fmt::Display| {
                Problem::new(
                    Code::BadFile,
                    format!("the file breaks after row {}: {error}; all rows before were read", self.row),
                )
            };
            let read = guarded(|| {
                let batch = self.reader.next()?;
                Some(batch.and_then(|batch| rows(&batch)).map_err(|error| error.to_string()))
            });
            match read.unwrap_or_else(|panic| Some(Err(panic))) {
                None => return Ok(Step::End),
                Some(batch) => self.batch = batch.map_err(|error| broken(&error))?,
            }
            self.next = 0;
            // Parquet is read here and there: what of the file is done follows from its rows.
            let done = self.total as f64 * (self.row + self.batch.len() as u64) as f64 / self.rows.max(1) as f64;
            self.consumed.store(done as u64, Ordering::Relaxed);
        }
        let place = self.next;
        self.next += 1;
        self.row += 1;
        Ok(Step::Record { place: RecordPlace::line(self.row), section: self.section, rows: &self.batch[place..=place] })
    }
}

/// The rows of a batch as text.
fn rows(batch: &RecordBatch) -> Result<Vec<Fields>, arrow::error::ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        // Named zones need a zone database of arrow's own; the same instant in UTC does not.
        DataType::Timestamp(_, Some(_)) => {
            cast(column, &DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into())))
        }
        _ => Ok(column.clone()),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = FormatOptions::default().with_null("");
    let formatters = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    (0..batch.num_rows())
        .map(|row| {
            let mut fields = Fields::default();
            for (column, formatter) in columns.iter().zip(&formatters) {
                text.clear();
                if column.is_valid(row) {
                    formatter.value(row).write(&mut text)?;
                }
                fields.push(&text);
            }
            Ok(fields)
        })
        .collect()
}
