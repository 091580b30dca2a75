//! Writes small Parquet files for the tests.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A column: `optional` in the schema, null where there is no value.
pub(crate) enum Values {
    Text(Vec<Option<&'static str>>),
    Whole(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Number(values) => values.len(),
        }
    }
}

/// The values of some rows that are there, and for each row whether one is.
fn present<T: Clone, U>(values: &[Option<T>], of: impl Fn(T) -> U) -> (Vec<U>, Vec<i16>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.iter().flatten().cloned().map(of).collect(), levels)
}

/// A file of these columns, all optional, in the order of the schema, in row groups of so many rows.
pub(crate) fn parquet_file(schema: &str, columns: &[Values], rows: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let total = columns[0].len();
    for from in (0..total).step_by(rows) {
        let range = from..(from + rows).min(total);
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut place = group.next_column().unwrap().unwrap();
            match column {
                Values::Text(values) => {
                    let (values, levels) = present(&values[range.clone()], ByteArray::from);
                    place.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
                }
                Values::Whole(values) => {
                    let (values, levels) = present(&values[range.clone()], |value| value);
                    place.typed::<Int64Type>().write_batch(&values, Some(&levels), None).unwrap();
                }
                Values::Number(values) => {
                    let (values, levels) = present(&values[range.clone()], |value| value);
                    place.typed::<DoubleType>().write_batch(&values, Some(&levels), None).unwrap();
                }
            }
            place.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}
