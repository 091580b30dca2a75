//! Request bodies, and answers that arrive line by line.

use std::marker::PhantomData;
use std::path::PathBuf;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;

use super::sender::Sender;
use crate::problem::{Code, Problem};

/// Bytes read from a file at once while it is sent.
const CHUNK: usize = 256 * 1024;

/// What a request carries.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// One JSON document.
    Json(Bytes),
    /// NDJSON, one document a line.
    Ndjson(Bytes),
    /// A file, streamed as it is; the path is for messages.
    File(PathBuf, tokio::fs::File),
}

impl Body {
    /// A JSON document.
    ///
    /// # Errors
    /// `bad-parameter` if it cannot be written as JSON.
    pub fn json(document: &impl Serialize) -> Result<Self, Problem> {
        serde_json::to_vec(document)
            .map(|bytes| Self::Json(bytes.into()))
            .map_err(|error| Problem::new(Code::BadParameter, error.to_string()))
    }

    /// A file that is opened now and streamed later.
    ///
    /// # Errors
    /// `bad-file` if it cannot be opened.
    pub async fn file(path: impl Into<PathBuf>) -> Result<Self, Problem> {
        let path = path.into();
        match tokio::fs::File::open(&path).await {
            Ok(file) => Ok(Self::File(path, file)),
            Err(error) => Err(Problem::new(Code::BadFile, format!("{}: {error}", path.display()))),
        }
    }

    pub(super) fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Ndjson(_) => Some("application/x-ndjson"),
            Self::File(..) => Some("application/octet-stream"),
        }
    }

    /// The same body a second time, where that is possible.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Json(bytes) => Some(Self::Json(bytes.clone())),
            Self::Ndjson(bytes) => Some(Self::Ndjson(bytes.clone())),
            Self::File(..) => None,
        }
    }

    pub(super) fn into_hyper(self) -> BoxBody<Bytes, std::io::Error> {
        match self {
            Self::Empty => Empty::new().map_err(|never| match never {}).boxed(),
            Self::Json(bytes) | Self::Ndjson(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed(),
            Self::File(_, file) => {
                let chunks = stream::unfold(file, |mut file| async move {
                    let mut chunk = BytesMut::with_capacity(CHUNK);
                    match file.read_buf(&mut chunk).await {
                        Ok(0) => None,
                        Ok(_) => Some((Ok(Frame::data(chunk.freeze())), file)),
                        Err(error) => Some((Err(error), file)),
                    }
                });
                BodyExt::boxed(StreamBody::new(chunks))
            }
        }
    }
}

/// NDJSON documents as they arrive.
#[derive(Debug)]
pub struct LineStream<T> {
    body: Incoming,
    buffer: BytesMut,
    ended: bool,
    /// Keeps the connection open while the stream is read.
    _sender: Sender,
    documents: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> LineStream<T> {
    pub(super) fn new(body: Incoming, sender: Sender) -> Self {
        Self { body, buffer: BytesMut::new(), ended: false, _sender: sender, documents: PhantomData }
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// `not-running` if the stream breaks off, `internal` if a line is not what was expected.
    pub async fn next(&mut self) -> Option<Result<T, Problem>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Some(Self::parse(&line));
            }
            if self.ended {
                let rest = self.buffer.split();
                return (!rest.iter().all(u8::is_ascii_whitespace)).then(|| Self::parse(&rest));
            }
            match self.body.frame().await {
                None => self.ended = true,
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.buffer.clear();
                    return Some(Err(Problem::new(Code::NotRunning, format!("the stream broke off: {error}"))));
                }
            }
        }
    }

    fn parse(line: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(line).map_err(|error| {
            Problem::new(Code::Internal, format!("a line of the answer is not what was expected: {error}"))
        })
    }
}
