//! Files as text and back: what a file holds, decompressed and decoded, and the same file with another text in it.

use std::io::{self, Read};

use crate::source::Compression;

/// Most bytes of text that are unpacked into memory.
const MOST: u64 = 1 << 30;

/// A file of text: what it holds, and how it was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedText {
    /// The text in UTF-8, without a mark of byte order. Bytes that are no text stand as they are.
    pub text: Vec<u8>,
    compression: Compression,
    encoding: Encoding,
}

/// How a text is encoded, by its mark of byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Utf8Mark,
    Utf16Little,
    Utf16Big,
}

impl Encoding {
    const fn mark(self) -> &'static [u8] {
        match self {
            Self::Plain => b"",
            Self::Utf8Mark => b"\xef\xbb\xbf",
            Self::Utf16Little => b"\xff\xfe",
            Self::Utf16Big => b"\xfe\xff",
        }
    }
}

impl PackedText {
    /// Unpacks the bytes of a file.
    ///
    /// # Errors
    /// What the decompressor says of a torn file; `FileTooLarge` for more than a gibibyte; `InvalidData` for a broken UTF-16.
    pub fn unpack(bytes: &[u8]) -> io::Result<Self> {
        let compression = Compression::sniff(bytes);
        let raw = match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => read(flate2::read::MultiGzDecoder::new(bytes))?,
            Compression::Zstd => read(zstd::stream::read::Decoder::new(bytes)?)?,
        };
        let marked = [Encoding::Utf8Mark, Encoding::Utf16Little, Encoding::Utf16Big];
        let encoding = marked.into_iter().find(|one| raw.starts_with(one.mark())).unwrap_or(Encoding::Plain);
        let body = &raw[encoding.mark().len()..];
        let text = match encoding {
            Encoding::Plain | Encoding::Utf8Mark => body.to_vec(),
            Encoding::Utf16Little => decoded(body, u16::from_le_bytes)?,
            Encoding::Utf16Big => decoded(body, u16::from_be_bytes)?,
        };
        Ok(Self { text, compression, encoding })
    }

    /// The bytes of the file with another text in it.
    ///
    /// # Errors
    /// What the compressor says; `InvalidData` where the text must be encoded in UTF-16 and is none.
    pub fn pack(&self, text: &[u8]) -> io::Result<Vec<u8>> {
        let wide = |bytes: fn(u16) -> [u8; 2]| -> io::Result<Vec<u8>> {
            Ok(std::str::from_utf8(text).map_err(io::Error::other)?.encode_utf16().flat_map(bytes).collect())
        };
        let body = match self.encoding {
            Encoding::Plain | Encoding::Utf8Mark => text.to_vec(),
            Encoding::Utf16Little => wide(u16::to_le_bytes)?,
            Encoding::Utf16Big => wide(u16::to_be_bytes)?,
        };
        let raw = [self.encoding.mark(), &body].concat();
        match self.compression {
            Compression::None => Ok(raw),
            Compression::Gzip => {
                let mut out = Vec::new();
                flate2::read::GzEncoder::new(&raw[..], flate2::Compression::default()).read_to_end(&mut out)?;
                Ok(out)
            }
            Compression::Zstd => zstd::stream::encode_all(&raw[..], zstd::DEFAULT_COMPRESSION_LEVEL),
        }
    }
}

fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(MOST + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than a gibibyte of text"));
    }
    Ok(out)
}

fn decoded(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> io::Result<Vec<u8>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "half a unit of UTF-16"));
    }
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    let text = String::from_utf16(&units).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_packed_as_it_was() {
        let text = "user;é\nvera;1\n";
        let plain = PackedText::unpack(text.as_bytes()).unwrap();
        let wide: Vec<u8> = b"\xff\xfe".iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let gzip = PackedText { compression: Compression::Gzip, ..plain.clone() };
        let zstd = PackedText { compression: Compression::Zstd, ..plain.clone() };
        let files = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide.clone(),
            gzip.pack(text.as_bytes()).unwrap(),
            zstd.pack(&wide).unwrap(),
        ];
        for bytes in files {
            let unpacked = PackedText::unpack(&bytes).unwrap();
            assert_eq!(unpacked.text, text.as_bytes());
            let again = PackedText::unpack(&unpacked.pack(b"user\n").unwrap()).unwrap();
            assert_eq!(again, PackedText { text: b"user\n".to_vec(), ..unpacked });
        }
    }

    #[test]
    fn a_torn_file_is_no_text() {
        let gzip = PackedText { text: Vec::new(), compression: Compression::Gzip, encoding: Encoding::Plain };
        let whole = gzip.pack(&b"user;vera\n".repeat(99)).unwrap();
        assert!(PackedText::unpack(&whole[..whole.len() - 9]).is_err());
        assert!(PackedText::unpack(b"\xff\xfeabc").is_err());
    }
}
