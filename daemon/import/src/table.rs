//! Writes a table as a Parquet file: the way back for results that are too long for a document.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use mercer_shared::problem::{Code, Problem};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// A column with its values, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Words.
    Text(Vec<String>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Numbers.
    Number(Vec<f64>),
}

impl Column {
    fn array(self) -> (DataType, ArrayRef) {
        match self {
            Self::Text(values) => (DataType::Utf8, Arc::new(StringArray::from(values))),
            Self::Whole(values) => (DataType::Int64, Arc::new(Int64Array::from(values))),
            Self::Number(values) => (DataType::Float64, Arc::new(Float64Array::from(values))),
        }
    }
}

/// Writes the columns, all of one length, as Parquet packed with zstd.
///
/// # Errors
/// `internal` for columns of different lengths, or when the file cannot be written.
pub fn write_table(file: File, columns: Vec<(&str, Column)>) -> Result<(), Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new(Code::Internal, format!("a table: {error}"));
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, column) in columns {
        let (kind, array) = column.array();
        fields.push(Field::new(name, kind, false));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| failed(&e))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(|e| failed(&e))?;
    writer.write(&batch).map_err(|e| failed(&e))?;
    writer.close().map_err(|e| failed(&e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    #[test]
    fn a_reader_finds_what_was_written() {
        let mut file = tempfile::tempfile().unwrap();
        let columns = vec![
            ("shopper", Column::Text(vec!["a".into(), "b".into()])),
            ("baskets", Column::Whole(vec![1, 2])),
            ("ndcg", Column::Number(vec![0.25, 1.0])),
        ];
        write_table(file.try_clone().unwrap(), columns).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let batch = reader.next().unwrap().unwrap();
        assert_eq!((batch.num_rows(), batch.schema().field(1).name().as_str()), (2, "baskets"));
        assert_eq!(batch.column(0).as_string::<i32>().value(1), "b");
        assert_eq!(batch.column(2).as_primitive::<Float64Type>().values(), &[0.25, 1.0]);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let columns = vec![("a", Column::Whole(vec![1])), ("b", Column::Whole(vec![1, 2]))];
        assert_eq!(write_table(tempfile::tempfile().unwrap(), columns).unwrap_err().code, Code::Internal);
    }
}
