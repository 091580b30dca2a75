//! Parquet: rows as a stream, only the columns that are used.
//!
//! Rows are read through the format's own record reader, not through arrow: a shop's log is read row by row anyhow, and arrow's kernels were a
//! quarter of the build.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::atomic::Ordering;

use mercer_shared::problem::{Code, Problem};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::fields::Fields;
use super::header::{choose, find, no_section};
use super::opened::Opened;
use super::parquet_text::Column;
use super::record::{RecordPlace, Step};
use crate::preset::Preset;
use crate::source::{Compression, Source};

/// Most bytes that a compressed Parquet file may unpack to.
const MAX_UNPACKED: u64 = 64 << 30;

/// Records of a Parquet file.
pub(super) struct Parquet {
    reader: RowIter<'static>,
    columns: Vec<Column>,
    record: [Fields; 1],
    row: u64,
    rows: u64,
    section: usize,
    consumed: std::sync::Arc<std::sync::atomic::AtomicU64>,
    total: u64,
}

/// The decoder panics on damaged files. Such a panic is the file's fault; the decoder is not used after it.
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
        let bad = |error: &dyn std::fmt::Display| bad_file(&name, error);
        let reader = guarded(|| SerializedFileReader::new(file)).map_err(|e| bad(&e))?.map_err(|e| bad(&e))?;
        let metadata = reader.metadata().file_metadata();
        let rows = u64::try_from(metadata.num_rows()).unwrap_or_default();
        let fields = metadata.schema().get_fields();
        let header: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
        let section = choose(preset, &header).ok_or_else(|| no_section(preset, &name, &header))?;
        let wanted: Vec<Option<usize>> =
            used[section].iter().map(|column| find(&preset.file[section], column, &header)).collect();
        let mut roots: Vec<usize> = wanted.iter().flatten().copied().collect();
        roots.sort_unstable();
        roots.dedup();
        // The reader gives the chosen columns in the order of the file.
        let places = wanted.iter().map(|root| roots.binary_search(root.as_ref()?).ok()).collect();
        let chosen: Vec<_> = roots.iter().map(|&root| fields[root].clone()).collect();
        let columns = chosen.iter().map(|field| Column::of(field)).collect();
        let name_of_root = metadata.schema().name().to_owned();
        let projection = Type::group_type_builder(&name_of_root).with_fields(chosen).build().map_err(|e| bad(&e))?;
        let open = || RowIter::from_file_into(Box::new(reader)).project(Some(projection));
        let reader = guarded(open).map_err(|e| bad(&e))?.map_err(|e| bad(&e))?;
        let (consumed, total) = (source.consumed.clone(), source.total);
        let record = [Fields::default()];
        let form = Self { reader, columns, record, row: 0, rows, section, consumed, total };
        Ok(Opened { form, section, places })
    }

    pub(super) const fn section(&self) -> usize {
        self.section
    }

    pub(super) fn step(&mut self) -> Result<Step<'_>, Problem> {
        let read = guarded(|| self.reader.next())
            .unwrap_or_else(|panic| Some(Err(parquet::errors::ParquetError::General(panic))));
        let row = match read {
            None => return Ok(Step::End),
            Some(Ok(row)) => row,
            Some(Err(error)) => {
                return Err(Problem::new(
                    Code::BadFile,
                    format!("the file breaks after row {}: {error}; all rows before were read", self.row),
                ));
            }
        };
        self.row += 1;
        // Parquet is read here and there: what of the file is done follows from its rows.
        let done = self.total as f64 * self.row as f64 / self.rows.max(1) as f64;
        self.consumed.store(done as u64, Ordering::Relaxed);
        let mut fields = Fields::default();
        for (column, (_, field)) in self.columns.iter().zip(row.get_column_iter()) {
            fields.push(&column.text(field));
        }
        self.record = [fields];
        Ok(Step::Record { place: RecordPlace::line(self.row), section: self.section, rows: &self.record })
    }
}
