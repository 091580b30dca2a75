//! A typed client of the daemon: HTTP/1.1 over its Unix socket, with kept connections. Every answer is a wire type or a
//! [`Problem`]; a missing daemon is the problem `not-running`.

mod body;
mod calls;
mod experiments;
mod mitigation_calls;
mod report_calls;
mod report_queries;
mod sender;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

pub use body::{Body, LineStream};
pub use report_queries::{ExportQuery, ExportedFile, StoredReportsQuery};

use crate::problem::{Code, Problem};
use sender::Sender;

/// Idle connections kept for the next call; more than a console ever has in flight.
const KEPT: usize = 16;

/// How long a socket may take to accept before the daemon counts as not running.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one daemon; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    kept: Arc<Mutex<Vec<Sender>>>,
}

impl Client {
    /// A client of the daemon behind this socket. Nothing is connected yet.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), kept: Arc::default() }
    }

    /// The socket it talks to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn connect(&self) -> Result<Sender, Problem> {
        crate::socket::check_socket_path(&self.socket)?;
        let missing = |error: &dyn std::fmt::Display| {
            Problem::new(Code::NotRunning, format!("{}: {error}", self.socket.display()))
        };
        let stream = match tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(&self.socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Problem::new(Code::Forbidden, format!("{}: {error}", self.socket.display())));
            }
            Ok(Err(error)) => return Err(missing(&error)),
            Err(_) => return Err(missing(&"nobody accepts")),
        };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| missing(&error))?;
        tokio::spawn(async move {
            // An error here shows at the request that waits on this connection.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn keep(&self, sender: Sender) {
        if let Ok(mut kept) = self.kept.lock()
            && kept.len() < KEPT
        {
            kept.push(sender);
        }
    }

    /// Sends one request and returns the response with the connection it came on. Only a body that can be made again
    /// is retried, and only when a kept connection turns out to be dead.
    async fn send(&self, method: Method, path: &str, body: Body) -> Result<(Response<Incoming>, Sender), Problem> {
        let build = |body: Body| -> Result<_, Problem> {
            let mut request = Request::builder().method(method.clone()).uri(path).header("host", "mercer");
            if let Some(kind) = body.content_type() {
                request = request.header("content-type", kind);
            }
            request
                .body(body.into_hyper())
                .map_err(|error| Problem::new(Code::BadParameter, format!("{path}: {error}")))
        };
        let lost = |error: hyper::Error| Problem::new(Code::NotRunning, format!("the connection broke: {error}"));
        let again = body.again();
        let idle = self.kept.lock().ok().and_then(|mut kept| kept.pop());
        if let (Some(mut sender), Some(body)) = (idle, again)
            && sender.ready().await.is_ok()
        {
            match sender.send_request(build(body)?).await {
                Ok(response) => return Ok((response, sender)),
                // The daemon may have been restarted since; anything but a broken connection is an answer.
                Err(error) if method == Method::GET || error.is_canceled() => {}
                Err(error) => return Err(lost(error)),
            }
        }
        let mut sender = self.connect().await?;
        sender.ready().await.map_err(lost)?;
        let response = sender.send_request(build(body)?).await.map_err(lost)?;
        Ok((response, sender))
    }

    async fn problem(response: Response<Incoming>) -> Problem {
        let status = response.status();
        let bytes = response.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let text: String = String::from_utf8_lossy(&bytes).chars().take(200).collect();
            Problem::new(Code::Internal, format!("status {status} without a problem document: {text}"))
        })
    }

    /// One call with a typed answer.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body) -> Result<T, Problem> {
        let text = self.call_text(method, path, body).await?;
        let text = if text.is_empty() { Bytes::from_static(b"null") } else { text };
        serde_json::from_slice(&text).map_err(|error| {
            Problem::new(Code::Internal, format!("{path}: the answer is not what was expected: {error}"))
        })
    }

    /// One call with the raw answer.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn call_text(&self, method: Method, path: &str, body: Body) -> Result<Bytes, Problem> {
        let (response, sender) = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(Self::problem(response).await);
        }
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(|error| Problem::new(Code::NotRunning, format!("the answer broke off: {error}")))?
            .to_bytes();
        self.keep(sender);
        Ok(bytes)
    }

    /// GET of a file: its bytes, and the value of one header of the answer.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn get_file(&self, path: &str, header: &str) -> Result<(Bytes, Option<String>), Problem> {
        let (response, sender) = self.send(Method::GET, path, Body::Empty).await?;
        if !response.status().is_success() {
            return Err(Self::problem(response).await);
        }
        let value = response.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let broke = |error| Problem::new(Code::NotRunning, format!("the answer broke off: {error}"));
        let bytes = response.into_body().collect().await.map_err(broke)?.to_bytes();
        self.keep(sender);
        Ok((bytes, value))
    }

    /// One call whose answer is a stream of NDJSON documents.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn lines<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<LineStream<T>, Problem> {
        let (response, sender) = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(Self::problem(response).await);
        }
        Ok(LineStream::new(response.into_body(), sender))
    }

    /// GET with a typed answer.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.call(Method::GET, path, Body::Empty).await
    }

    /// POST of a JSON document with a typed answer.
    ///
    /// # Errors
    /// The daemon's problem document, or `not-running`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, document: &impl Serialize) -> Result<T, Problem> {
        self.call(Method::POST, path, Body::json(document)?).await
    }
}
