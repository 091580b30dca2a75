//! Bytes of a file: decompressed by what they are, counted as they come from the disk, lines held to a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::document::MAX_LINE_BYTES;

/// Buffer between disk and parser.
const BUFFER: usize = 256 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, also of several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// Reads the first bytes.
    #[must_use]
    pub fn sniff(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A file that is being read.
pub struct Source {
    /// Decompressed bytes.
    pub reader: Box<dyn BufRead + Send>,
    /// How it was compressed.
    pub compression: Compression,
    /// Bytes taken from the disk so far.
    pub consumed: Arc<AtomicU64>,
    /// Bytes on the disk.
    pub total: u64,
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let total = file.metadata()?.len();
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
        let compression = Compression::sniff(&magic);
        let file = File::open(path)?;
        let consumed = Arc::new(AtomicU64::new(0));
        let raw = BufReader::with_capacity(BUFFER, Counted { file, bytes: Arc::clone(&consumed) });
        let reader: Box<dyn BufRead + Send> = match compression {
            Compression::None => Box::new(raw),
            Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(raw))),
            Compression::Zstd => {
                Box::new(BufReader::with_capacity(BUFFER, zstd::stream::read::Decoder::with_buffer(raw)?))
            }
        };
        Ok(Self { reader, compression, consumed, total })
    }
}

/// A line as it was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The bytes stand in the buffer, without the line end.
    Whole,
    /// Longer than the limit; what was beyond it is gone. Carries the length in bytes.
    TooLong(u64),
    /// There is no further line.
    End,
}

/// Reads one line into `buffer`, which never holds more than the limit.
///
/// # Errors
/// The reader's, such as the end of a truncated gzip file.
pub fn read_line(reader: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let mut length: u64 = 0;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(match length {
                0 => Line::End,
                _ if length > MAX_LINE_BYTES as u64 => Line::TooLong(length),
                _ => Line::Whole,
            });
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = (MAX_LINE_BYTES + 1).saturating_sub(buffer.len());
        buffer.extend_from_slice(&part[..part.len().min(room)]);
        length += part.len() as u64;
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if buffer.last() == Some(&b'\r') {
                buffer.pop();
            }
            return Ok(if length > MAX_LINE_BYTES as u64 { Line::TooLong(length) } else { Line::Whole });
        }
    }
}

/// Text of bytes that should be UTF-8 and are Windows-1252 (of which Latin-1 is a part) where they are not.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_takes_no_memory() {
        let long = vec![b'x'; 3 * MAX_LINE_BYTES];
        let mut input = [b"short\r\n".as_slice(), &long, b"\nlast"].concat();
        input.push(b'\n');
        let mut reader = BufReader::new(&*input);
        let mut buffer = Vec::new();
        assert_eq!(read_line(&mut reader, &mut buffer).unwrap(), Line::Whole);
        assert_eq!(buffer, b"short");
        assert_eq!(read_line(&mut reader, &mut buffer).unwrap(), Line::TooLong(long.len() as u64));
        assert!(buffer.len() <= MAX_LINE_BYTES + 1);
        assert_eq!(read_line(&mut reader, &mut buffer).unwrap(), Line::Whole);
        assert_eq!(buffer, b"last");
        assert_eq!(read_line(&mut reader, &mut buffer).unwrap(), Line::End);
    }

    #[test]
    fn latin_1_is_read() {
        assert_eq!(text(b"Caf\xe9"), "Caf\u{e9}");
        assert_eq!(text("红裙".as_bytes()), "红裙");
    }
}
