//! HTTP by hand, as any client would send it: what the typed client cannot say can be said here.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::wait::PATIENCE;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and header fields.
    pub head: String,
    /// First JSON document of the body.
    pub json: Value,
    /// The body as it came.
    pub body: String,
}

impl Answer {
    /// The stable code of a problem document; empty for anything else.
    #[must_use]
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    fn read(mut stream: UnixStream) -> Self {
        let mut bytes = Vec::new();
        // A daemon that refuses a body early closes the connection under the sender's feet: what came until then counts.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        let json = body.find(['{', '[']).and_then(|start| {
            serde_json::Deserializer::from_str(&body[start..]).into_iter().next().and_then(Result::ok)
        });
        Self { status, head: head.to_owned(), json: json.unwrap_or(Value::Null), body: body.to_owned() }
    }
}

impl Daemon {
    /// One request with a body that is at hand.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn http(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.http_long(method, path, kind, body.len() as u64, body)
    }

    /// One request whose body is a text repeated up to a length: more than would fit into memory.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn http_long(&self, method: &str, path: &str, kind: &str, length: u64, text: &[u8]) -> Answer {
        let mut stream = UnixStream::connect(self.socket()).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let reader = stream.try_clone().expect("a second handle");
        let reading = std::thread::spawn(move || Answer::read(reader));
        let mut left = length;
        while left > 0 {
            let part = text.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            // The daemon may have said no and hung up.
            if stream.write_all(&text[..part]).is_err() {
                break;
            }
            left -= part as u64;
        }
        reading.join().expect("the answer was read")
    }
}
