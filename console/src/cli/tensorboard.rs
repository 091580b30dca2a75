//! Event files as TensorBoard reads them: TFRecord framing with masked CRC-32C around protocol-buffer messages. Only what is needed
//! is written: the version, scalars and texts, after `tensorflow/core/util/event.proto`, `framework/summary.proto` and
//! `framework/tensor.proto`.

use std::io::{self, Write};

/// Polynomial of CRC-32C (Castagnoli), bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const fn table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

const TABLE: [u32; 256] = table();

/// CRC-32C of bytes (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

/// The checksum as a TFRecord stores it: rotated and offset, so that a checksum of data that holds checksums stays sound.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes one record: length, its checksum, the bytes, their checksum.
fn record(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&masked(bytes).to_le_bytes())
}

/// A protocol-buffer message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn whole(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }
}

/// One value at a step.
pub(super) struct Summary {
    /// Seconds since 1970.
    at: f64,
    step: u64,
    value: Message,
}

impl Summary {
    /// A number under a name.
    pub(super) fn scalar(at: f64, step: u64, tag: &str, value: f64) -> Self {
        Self { at, step, value: Message::default().bytes(1, tag.as_bytes()).float(2, value as f32) }
    }

    /// A text in Markdown under a name.
    pub(super) fn text(at: f64, step: u64, tag: &str, text: &str) -> Self {
        // A tensor of one string (DT_STRING = 7, shape [1]) that the text plugin claims.
        let shape = Message::default().bytes(2, &Message::default().whole(1, 1).0);
        let tensor = Message::default().whole(1, 7).bytes(2, &shape.0).bytes(8, text.as_bytes());
        let plugin = Message::default().bytes(1, b"text");
        let metadata = Message::default().bytes(1, &plugin.0);
        let value = Message::default().bytes(1, tag.as_bytes()).bytes(8, &tensor.0).bytes(9, &metadata.0);
        Self { at, step, value }
    }
}

/// Writes an event file.
///
/// # Errors
/// What the writer says.
pub(super) fn write_events(out: &mut impl Write, begun: f64, summaries: &[Summary]) -> io::Result<()> {
    record(out, &Message::default().double(1, begun).bytes(3, b"brain.Event:2").0)?;
    for summary in summaries {
        let values = Message::default().bytes(1, &summary.value.0);
        let event = Message::default().double(1, summary.at).whole(2, summary.step).bytes(5, &values.0);
        record(out, &event.0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the check value of the catalogue of CRCs.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        // crc32c(b"foo") = 0xcfc4ae1d, masked as leveldb and TensorFlow do.
        assert_eq!(masked(b"foo"), 0xcfc4_ae1d_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        assert_eq!(crc32c(b"foo"), 0xcfc4_ae1d);
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
    fn messages_are_written_as_protocol_buffers() {
        assert_eq!(Message::default().whole(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, b"testing").0, b"\x12\x07testing");
        let scalar = Summary::scalar(1.5, 3, "a", 1.0);
        assert_eq!(scalar.value.0, [0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        let mut out = Vec::new();
        write_events(&mut out, 1.5, &[scalar]).unwrap();
        // Event: wall time 1.5, step 3, summary with one value of eight bytes.
        let mut event = vec![0x09];
        event.extend(1.5f64.to_le_bytes());
        event.extend([0x10, 3, 0x2a, 10, 0x0a, 8]);
        assert!(out.windows(event.len()).any(|window| window == event));
        assert!(out.windows(13).any(|window| window == b"brain.Event:2"));
    }
}
