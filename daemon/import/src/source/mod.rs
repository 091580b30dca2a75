//! Bytes of a file: decompressed by their magic number, decoded to UTF-8 where a byte order mark says UTF-16, counted as they
//! come from the disk.

mod lines;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs_io::DecodeReaderBytesBuilder;
use mercer_shared::problem::{Code, Problem};

pub(crate) use lines::{HeldLine, Line, Lines, too_long};

/// Buffer between disk and parser in bytes.
const BUFFER: usize = 256 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
}

impl Compression {
    /// By the first bytes, never by the name.
    #[must_use]
    pub(crate) const fn sniff(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub(crate) const fn name(self) -> Option<&'static str> {
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
pub(crate) struct Source {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The name that the shop gave it.
    pub(crate) name: String,
    /// Decompressed bytes, UTF-8 where the file has a UTF-16 mark, without a mark of byte order.
    pub(crate) reader: Box<dyn BufRead + Send>,
    /// How it is compressed.
    pub(crate) compression: Compression,
    /// Its encoding, where a mark of byte order says it.
    pub(crate) encoding: Option<&'static str>,
    /// Bytes taken from the disk so far.
    pub(crate) consumed: Arc<AtomicU64>,
    /// Bytes on the disk.
    pub(crate) total: u64,
}

impl Source {
    /// Opens a file that the shop calls `name`.
    ///
    /// # Errors
    /// `bad-file` for what the system or the decompressor says.
    pub(crate) fn open(path: &Path, name: &str) -> Result<Self, Problem> {
        Self::begin(path, name).map_err(|error| Problem::new(Code::BadFile, format!("{name}: {error}")))
    }

    fn begin(path: &Path, name: &str) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let total = file.metadata()?.len();
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
        let compression = Compression::sniff(&magic);
        let consumed = Arc::new(AtomicU64::new(0));
        let raw = BufReader::with_capacity(BUFFER, Counted { file: File::open(path)?, bytes: Arc::clone(&consumed) });
        let mut reader: Box<dyn BufRead + Send> = match compression {
            Compression::None => Box::new(raw),
            Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(raw))),
            Compression::Zstd => {
                Box::new(BufReader::with_capacity(BUFFER, zstd::stream::read::Decoder::with_buffer(raw)?))
            }
        };
        // An error of the stream is reported with its line where the lines are read; here only the mark at its head matters.
        let head = reader.fill_buf().unwrap_or_default();
        let (skip, encoding) = match head {
            [0xef, 0xbb, 0xbf, ..] => (3, None),
            [0xff, 0xfe, ..] => (2, Some(encoding_rs::UTF_16LE)),
            [0xfe, 0xff, ..] => (2, Some(encoding_rs::UTF_16BE)),
            _ => (0, None),
        };
        reader.consume(skip);
        if let Some(encoding) = encoding {
            let decoded = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(reader);
            reader = Box::new(BufReader::with_capacity(BUFFER, decoded));
        }
        let encoding = encoding.map(encoding_rs::Encoding::name);
        Ok(Self { path: path.to_owned(), name: name.to_owned(), reader, compression, encoding, consumed, total })
    }

    /// Words on how the file is packed, for the report: format, compression, encoding.
    #[must_use]
    pub(crate) fn describe(&self, format: &str) -> String {
        [Some(format), self.compression.name(), self.encoding].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The first decompressed bytes, as far as one read gives them; empty where the stream is broken from the start.
    pub(crate) fn head(&mut self) -> &[u8] {
        self.reader.fill_buf().unwrap_or_default()
    }

    /// Takes the reader out.
    pub(crate) fn take_reader(&mut self) -> Box<dyn BufRead + Send> {
        std::mem::replace(&mut self.reader, Box::new(io::empty()))
    }
}
