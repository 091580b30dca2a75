//! UTF-16 to UTF-8 as a stream: what spreadsheets call "Unicode text".

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, Encoding};

/// Bytes of one step of decoding.
const STEP: usize = 32 * 1024;

/// A reader that decodes another; what is no text becomes U+FFFD.
pub(super) struct Transcode {
    inner: Box<dyn BufRead + Send>,
    decoder: Decoder,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl Transcode {
    pub(super) fn new(inner: Box<dyn BufRead + Send>, encoding: &'static Encoding) -> Self {
        Self { inner, decoder: encoding.new_decoder_without_bom_handling(), text: Vec::new(), given: 0, ended: false }
    }

    fn decode(&mut self) -> io::Result<()> {
        let input = self.inner.fill_buf()?;
        let input = &input[..input.len().min(STEP)];
        let last = input.is_empty();
        let mut used = 0;
        self.given = 0;
        self.text.clear();
        // Three bytes of UTF-8 for two of UTF-16, and room for what the decoder kept back.
        self.text.resize(input.len() * 3 / 2 + 16, 0);
        let mut written = 0;
        loop {
            let (result, read, wrote, _) = self.decoder.decode_to_utf8(&input[used..], &mut self.text[written..], last);
            (used, written) = (used + read, written + wrote);
            match result {
                CoderResult::InputEmpty => break,
                CoderResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
            }
        }
        self.text.truncate(written);
        self.ended = last;
        self.inner.consume(used);
        Ok(())
    }
}

impl Read for Transcode {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.decode()?;
        }
        let count = buffer.len().min(self.text.len() - self.given);
        buffer[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}
