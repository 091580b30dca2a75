//! Event files as TensorBoard reads them: TFRecord framing with masked CRC-32C around protocol-buffer messages. Only what is
//! needed is described: version, scalars and texts, after `tensorflow/core/util/event.proto`, `framework/summary.proto` and
//! `framework/tensor.proto`.

use std::io::{self, Write};

use crc32c::crc32c;
use prost::Message;

/// Stands first in every event file.
const FILE_VERSION: &str = "brain.Event:2";
/// The number of strings among TensorFlow's types of tensors.
const DT_STRING: i32 = 7;
/// Added to a rotated checksum (`tensorflow/core/lib/hash/crc32c.h`).
const MASK_DELTA: u32 = 0xa282_ead8;

/// `tensorflow.Event`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Values>,
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Values {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `tensorflow.Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

/// `tensorflow.TensorProto`.
#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(string, repeated, tag = "8")]
    string_val: Vec<String>,
}

/// `tensorflow.TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dimension>,
}

/// `tensorflow.TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    size: i64,
}

/// `tensorflow.SummaryMetadata`.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<Plugin>,
}

/// `tensorflow.SummaryMetadata.PluginData`.
#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(string, tag = "1")]
    plugin_name: String,
}

/// One value at a step.
#[derive(Debug)]
pub(super) struct Summary(Event);

impl Summary {
    fn new(at: f64, step: u64, value: Value) -> Self {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Self(Event { wall_time: at, step, file_version: None, summary: Some(Values { value: vec![value] }) })
    }

    /// A number under a name. `at` in seconds since 1970.
    pub(super) fn scalar(at: f64, step: u64, tag: &str, value: f64) -> Self {
        let value = Value { tag: tag.to_owned(), simple_value: Some(value as f32), ..Value::default() };
        Self::new(at, step, value)
    }

    /// A text in Markdown under a name: a tensor of one string that the text plugin claims.
    pub(super) fn text(at: f64, step: u64, tag: &str, text: &str) -> Self {
        let shape = Shape { dim: vec![Dimension { size: 1 }] };
        let tensor = Tensor { dtype: DT_STRING, shape: Some(shape), string_val: vec![text.to_owned()] };
        let metadata = Metadata { plugin_data: Some(Plugin { plugin_name: "text".to_owned() }) };
        let value = Value { tag: tag.to_owned(), simple_value: None, tensor: Some(tensor), metadata: Some(metadata) };
        Self::new(at, step, value)
    }
}

/// The masked checksum of a TFRecord: rotated and offset, so that checksums of data that contain checksums stay valid.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

/// Writes one record: length, its checksum, the bytes, their checksum.
fn record(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&masked(bytes).to_le_bytes())
}

/// Writes an event file that began at `begun`, in seconds since 1970.
///
/// # Errors
/// What the writer says.
pub(super) fn write_events(out: &mut impl Write, begun: f64, summaries: &[Summary]) -> io::Result<()> {
    let head = Event { wall_time: begun, step: 0, file_version: Some(FILE_VERSION.to_owned()), summary: None };
    record(out, &head.encode_to_vec())?;
    summaries.iter().try_for_each(|summary| record(out, &summary.0.encode_to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_masked_as_leveldb_and_tensorflow_do() {
        // The check value of the catalogue of CRCs, and crc32c(b"foo") = 0xcfc4ae1d.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"foo"), 0xcfc4_ae1d_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn a_record_frames_its_bytes_with_two_checksums() {
        let mut out = Vec::new();
        record(&mut out, b"abc").unwrap();
        assert_eq!(out.len(), 8 + 4 + 3 + 4);
        assert_eq!(out[..8], 3u64.to_le_bytes());
        assert_eq!(out[8..12], masked(&3u64.to_le_bytes()).to_le_bytes());
        assert_eq!((&out[12..15], &out[15..]), (&b"abc"[..], &masked(b"abc").to_le_bytes()[..]));
    }

    #[test]
    fn messages_have_the_fields_that_tensorboard_reads() {
        let scalar = Summary::scalar(1.5, 3, "a", 1.0);
        let mut out = Vec::new();
        write_events(&mut out, 1.5, &[scalar, Summary::text(1.5, 0, "t", "hi")]).unwrap();
        let holds = |part: &[u8]| out.windows(part.len()).any(|window| window == part);
        // Event: wall time 1.5, step 3, summary with one value of eight bytes: tag "a", simple value 1.0.
        let mut event = vec![0x09];
        event.extend(1.5f64.to_le_bytes());
        event.extend([0x10, 3, 0x2a, 10, 0x0a, 8, 0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        assert!(holds(&event));
        assert!(holds(b"brain.Event:2"));
        // Tensor: string type, shape [1], "hi"; metadata of the text plugin.
        assert!(holds(&[0x42, 12, 0x08, 7, 0x12, 4, 0x12, 2, 0x08, 1, 0x42, 2, b'h', b'i']));
        assert!(holds(&[0x4a, 8, 0x0a, 6, 0x0a, 4, b't', b'e', b'x', b't']));
    }
}
