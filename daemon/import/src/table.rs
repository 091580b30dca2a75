//! Writes tables as Parquet files, for results that are too long for a document.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use mercer_shared::problem::{Code, Problem};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

/// A column with its values, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Words.
    Text(Vec<String>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Numbers.
    Number(Vec<f64>),
    /// Numbers of which some are missing.
    Optional(Vec<Option<f64>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Optional(values) => values.len(),
        }
    }

    fn schema(&self, name: &str) -> Result<Type, ParquetError> {
        let physical = match self {
            Self::Text(_) => PhysicalType::BYTE_ARRAY,
            Self::Whole(_) => PhysicalType::INT64,
            Self::Number(_) | Self::Optional(_) => PhysicalType::DOUBLE,
        };
        let repetition = match self {
            Self::Optional(_) => Repetition::OPTIONAL,
            _ => Repetition::REQUIRED,
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        let column = match self {
            Self::Text(_) => {
                column.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8)
            }
            _ => column,
        };
        column.build()
    }

    fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<usize, ParquetError> {
        match self {
            Self::Text(values) => {
                let values: Vec<ByteArray> = values.iter().map(|value| value.as_bytes().to_vec().into()).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, None, None)
            }
            Self::Whole(values) => writer.typed::<Int64Type>().write_batch(values, None, None),
            Self::Number(values) => writer.typed::<DoubleType>().write_batch(values, None, None),
            Self::Optional(values) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let known: Vec<f64> = values.iter().copied().flatten().collect();
                writer.typed::<DoubleType>().write_batch(&known, Some(&levels), None)
            }
        }
    }
}

/// Writes the columns, all of one length, as Parquet packed with zstd.
///
/// # Errors
/// `internal` for columns of different lengths, or when the file cannot be written.
pub fn write_table(file: File, columns: &[(&str, Column)]) -> Result<(), Problem> {
    write_checked(file, columns)
}

/// The bytes of the same file.
///
/// # Errors
/// `internal` for columns of different lengths.
pub fn table_bytes(columns: &[(&str, Column)]) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    write_checked(&mut bytes, columns)?;
    Ok(bytes)
}

fn write_checked(out: impl Write + Send, columns: &[(&str, Column)]) -> Result<(), Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new(Code::Internal, format!("a table: {error}"));
    if columns.iter().any(|(_, column)| column.len() != columns[0].1.len()) {
        return Err(failed(&"its columns have different lengths"));
    }
    write_columns(out, columns).map_err(|error| failed(&error))
}

fn write_columns(out: impl Write + Send, columns: &[(&str, Column)]) -> Result<(), ParquetError> {
    let fields = columns.iter().map(|(name, column)| column.schema(name).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("table").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (_, column) in columns {
        let Some(mut place) = group.next_column()? else { break };
        column.write(&mut place)?;
        place.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};

    use super::*;

    #[test]
    fn a_reader_finds_what_was_written() {
        let mut file = tempfile::tempfile().unwrap();
        let columns = [
            ("shopper", Column::Text(vec!["a".into(), "b".into()])),
            ("baskets", Column::Whole(vec![1, 2])),
            ("ndcg", Column::Number(vec![0.25, 1.0])),
            ("low", Column::Optional(vec![None, Some(0.5)])),
        ];
        write_table(file.try_clone().unwrap(), &columns).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].get_string(0).unwrap(), "b");
        assert_eq!(rows[0].get_column_iter().nth(1), Some((&"baskets".to_owned(), &Field::Long(1))));
        let low: Vec<_> =
            rows.iter().filter_map(|row| row.get_column_iter().nth(3)).map(|(_, field)| field.clone()).collect();
        assert_eq!(low, [Field::Null, Field::Double(0.5)]);
        assert_eq!([rows[0].get_double(2).unwrap(), rows[1].get_double(2).unwrap()], [0.25, 1.0]);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let columns = [("a", Column::Whole(vec![1])), ("b", Column::Whole(vec![1, 2]))];
        assert_eq!(write_table(tempfile::tempfile().unwrap(), &columns).unwrap_err().code, Code::Internal);
    }
}
