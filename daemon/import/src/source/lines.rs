//! Reads lines up to a length limit. A longer line is skipped without being held in memory.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use mercer_shared::problem::{Code, Problem};

use crate::document::MAX_LINE_BYTES;
use crate::validate::Refusal;

/// A line as it was read; its number counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes are in [`Lines::bytes`], without the line end.
    Whole(u64),
    /// Longer than the limit; its bytes are gone.
    TooLong {
        /// Its number.
        number: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// There is no further line.
    End,
}

/// The refusal of a line of so many bytes.
pub(crate) fn too_long(length: u64) -> Refusal {
    Refusal::new(Code::LineTooLong, format!("the line has {length} bytes, at most {MAX_LINE_BYTES} are read"))
}

/// A line kept aside, to be read again.
#[derive(Debug)]
pub(crate) struct HeldLine {
    /// Its number.
    pub(crate) number: u64,
    /// Its bytes, without the line end.
    pub(crate) bytes: Vec<u8>,
}

/// Lines of a stream. They end with LF or CR LF; where most lines of the head end with a bare CR (as old spreadsheets write),
/// with that as well.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    number: u64,
    again: VecDeque<(Line, Vec<u8>)>,
    /// Whether a bare CR ends a line; decided by the first bytes that hold any line end.
    bare_cr: Option<bool>,
}

/// Whether a head of a text has more bare CR than LF.
fn has_bare_cr(head: &[u8]) -> bool {
    let feeds = head.iter().filter(|byte| **byte == b'\n').count();
    // A CR at the very end may be half of a CR LF.
    let bare = head.windows(2).filter(|pair| pair[0] == b'\r' && pair[1] != b'\n').count();
    let last = usize::from(feeds == 0 && head.last() == Some(&b'\r'));
    bare + last > feeds
}

impl Lines {
    pub(crate) const fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, again: VecDeque::new(), bare_cr: None }
    }

    /// The bytes of the line that was read last.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns lines to the stream, the last one as it was just read. They are read again before the stream continues.
    pub(crate) fn give_back(&mut self, lines: Vec<HeldLine>, last: Line) {
        if last != Line::End {
            let bytes = if matches!(last, Line::Whole(_)) { std::mem::take(&mut self.buffer) } else { Vec::new() };
            self.again.push_front((last, bytes));
        }
        for line in lines.into_iter().rev() {
            self.again.push_front((Line::Whole(line.number), line.bytes));
        }
    }

    /// Gives the line that was just read back as the lines that bare CRs make of it. They keep its number: the file's
    /// other lines are counted by LF.
    pub(crate) fn split_at_cr(&mut self, number: u64) {
        let whole = std::mem::take(&mut self.buffer);
        for part in whole.split(|byte| *byte == b'\r').rev() {
            self.again.push_front((Line::Whole(number), part.to_vec()));
        }
    }

    /// Reads one line. A last line that the stream breaks off in is not given: it may be half of itself.
    ///
    /// # Errors
    /// `bad-file` with the line where the stream breaks.
    pub(crate) fn next(&mut self) -> Result<Line, Problem> {
        if let Some((line, bytes)) = self.again.pop_front() {
            self.buffer = bytes;
            return Ok(line);
        }
        let line = self.read().map_err(|error| {
            let detail =
                format!("the file breaks off in line {}: {error}; all lines before it were read", self.number + 1);
            Problem::new(Code::BadFile, detail)
        })?;
        if line != Line::End {
            self.number += 1;
        }
        Ok(line)
    }

    fn read(&mut self) -> io::Result<Line> {
        self.buffer.clear();
        let (number, mut length) = (self.number + 1, 0u64);
        loop {
            let available = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if available.is_empty() && length == 0 {
                return Ok(Line::End);
            }
            if self.bare_cr.is_none() && available.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                self.bare_cr = Some(has_bare_cr(available));
            }
            let bare_cr = self.bare_cr.unwrap_or_default();
            let ends = |byte: &u8| *byte == b'\n' || (bare_cr && *byte == b'\r');
            let end = available.iter().position(ends);
            let part = &available[..end.unwrap_or(available.len())];
            let room = (MAX_LINE_BYTES + 2).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&part[..part.len().min(room)]);
            let at_cr = end.is_some_and(|end| available[end] == b'\r');
            let (used, last) = (part.len() + usize::from(end.is_some()), end.is_some() || available.is_empty());
            length += used as u64;
            self.reader.consume(used);
            if last {
                if at_cr && self.reader.fill_buf().is_ok_and(|rest| rest.first() == Some(&b'\n')) {
                    self.reader.consume(1);
                }
                if self.buffer.last() == Some(&b'\r') {
                    self.buffer.pop();
                }
                let whole = self.buffer.len() <= MAX_LINE_BYTES;
                return Ok(if whole { Line::Whole(number) } else { Line::TooLong { number, length } });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Box::new(io::BufReader::with_capacity(7, io::Cursor::new(bytes.to_vec()))))
    }

    fn all(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())));
        let mut all = Vec::new();
        while lines.next().unwrap() != Line::End {
            all.push(String::from_utf8(lines.bytes().to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn a_long_line_takes_no_memory() {
        let long = vec![b'x'; 3 * MAX_LINE_BYTES];
        let mut lines = lines(&[b"short\r\n".as_slice(), &long, b"\n\nlast"].concat());
        assert_eq!((lines.next().unwrap(), lines.bytes()), (Line::Whole(1), b"short".as_slice()));
        assert_eq!(lines.next().unwrap(), Line::TooLong { number: 2, length: long.len() as u64 + 1 });
        assert!(lines.buffer.capacity() <= 4 * MAX_LINE_BYTES);
        assert_eq!((lines.next().unwrap(), lines.bytes()), (Line::Whole(3), b"".as_slice()));
        assert_eq!((lines.next().unwrap(), lines.bytes()), (Line::Whole(4), b"last".as_slice()));
        assert_eq!(lines.next().unwrap(), Line::End);
    }

    #[test]
    fn the_limit_is_exact() {
        let fits = [vec![b'x'; MAX_LINE_BYTES], b"\r\n".to_vec()].concat();
        assert_eq!(lines(&fits).next().unwrap(), Line::Whole(1));
        let over = [vec![b'x'; MAX_LINE_BYTES + 1], b"\n".to_vec()].concat();
        assert!(matches!(lines(&over).next().unwrap(), Line::TooLong { number: 1, .. }));
    }

    #[test]
    fn line_ends_of_all_systems() {
        assert_eq!(all(b"a\nb\r\nc"), ["a", "b", "c"]);
        assert_eq!(all(b"a\rb\rc\r"), ["a", "b", "c"]);
        assert_eq!(all(b"a\rb\r\nc\rd\re\n"), ["a", "b", "c", "d", "e"], "most lines end with a bare CR");
        assert_eq!(all(b"a\rx\nb\nc\n"), ["a\rx", "b", "c"], "one CR among LFs is white space");
        assert_eq!(all(b"a\r"), ["a"]);
    }

    proptest! {
        /// Whatever ends the lines, the same lines come out, also at the borders of the buffer.
        #[test]
        fn every_line_end_gives_the_same_lines(texts in prop::collection::vec("[a-z]{1,9}", 1..9), end in prop::sample::select(vec!["\n", "\r\n", "\r"])) {
            let bytes = texts.iter().flat_map(|text| [text.as_str(), end]).collect::<String>().into_bytes();
            prop_assert_eq!(all(&bytes), texts);
        }
    }
}
