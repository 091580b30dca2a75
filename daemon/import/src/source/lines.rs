//! Lines held to a limit: a line of a gigabyte costs no memory, and reading goes on after it.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use mercer_shared::problem::{Code, Problem};

use crate::document::MAX_LINE_BYTES;

/// A line as it was read; its number counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes stand in [`Lines::bytes`], without the line end.
    Whole(u64),
    /// Longer than the limit; what was beyond it is gone. Carries the length in bytes.
    TooLong(u64, u64),
    /// There is no further line.
    End,
}

/// Lines of a stream.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    number: u64,
    again: VecDeque<(Line, Vec<u8>)>,
}

impl Lines {
    pub(crate) const fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, again: VecDeque::new() }
    }

    /// The bytes of the line that was read last.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Gives lines back, the last one as it was just read: they are read again, before the stream goes on.
    pub(crate) fn give_back(&mut self, lines: Vec<(u64, Vec<u8>)>, last: Line) {
        if last != Line::End {
            let bytes = if matches!(last, Line::Whole(_)) { std::mem::take(&mut self.buffer) } else { Vec::new() };
            self.again.push_front((last, bytes));
        }
        for (number, line) in lines.into_iter().rev() {
            self.again.push_front((Line::Whole(number), line));
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
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let room = (MAX_LINE_BYTES + 2).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&part[..part.len().min(room)]);
            let (used, last) = (part.len() + usize::from(end.is_some()), end.is_some() || available.is_empty());
            length += used as u64;
            self.reader.consume(used);
            if last {
                if self.buffer.last() == Some(&b'\r') {
                    self.buffer.pop();
                }
                let whole = self.buffer.len() <= MAX_LINE_BYTES;
                return Ok(if whole { Line::Whole(number) } else { Line::TooLong(number, length) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Lines {
        Lines::new(Box::new(io::BufReader::with_capacity(7, io::Cursor::new(bytes.to_vec()))))
    }

    #[test]
    fn a_long_line_takes_no_memory() {
        let long = vec![b'x'; 3 * MAX_LINE_BYTES];
        let mut lines = lines(&[b"short\r\n".as_slice(), &long, b"\n\nlast"].concat());
        assert_eq!((lines.next().unwrap(), lines.bytes()), (Line::Whole(1), b"short".as_slice()));
        assert_eq!(lines.next().unwrap(), Line::TooLong(2, long.len() as u64 + 1));
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
        assert!(matches!(lines(&over).next().unwrap(), Line::TooLong(1, _)));
    }
}
