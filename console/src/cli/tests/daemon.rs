//! A daemon of a test: HTTP/1.1 on a Unix socket, answers from a table of paths.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser;
use mercer_shared::problem::{Code, Problem};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::cli::Cli;
use crate::cli::out::Out;
use crate::cli::run;

/// What is answered: status and body; the last one of a path is repeated.
type Answers = BTreeMap<String, Vec<(u16, String)>>;

/// A daemon under construction.
#[derive(Debug, Default)]
pub(super) struct Fake {
    answers: Answers,
    /// Columns of the terminal; none where output goes to a file.
    columns: Option<usize>,
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
    /// `METHOD path body` of each request, in the order in which they were read.
    pub(super) asked: Vec<String>,
}

impl Fake {
    /// Answers `METHOD path` with a document.
    pub(super) fn on(self, request: &str, document: impl serde::Serialize) -> Self {
        self.text(request, 200, serde_json::to_string(&document).unwrap())
    }

    /// Answers with a problem.
    pub(super) fn refuse(self, request: &str, code: Code, detail: &str) -> Self {
        let problem = Problem::new(code, detail);
        self.text(request, code.status(), serde_json::to_string(&problem).unwrap())
    }

    /// Answers with a text.
    pub(super) fn text(mut self, request: &str, status: u16, text: impl Into<String>) -> Self {
        self.answers.entry(request.to_owned()).or_default().push((status, text.into()));
        self
    }

    /// Gives the command a terminal of so many columns.
    pub(super) fn columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// Runs a command against it.
    pub(super) fn run(self, args: &[&str]) -> Ran {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("mercer.sock");
        run_on(&socket, Some(self), args)
    }
}

/// Runs a command where nobody listens.
pub(super) fn nobody(args: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    run_on(&dir.path().join("mercer.sock"), None, args)
}

fn run_on(socket: &Path, daemon: Option<Fake>, args: &[&str]) -> Ran {
    let cli = Cli::try_parse_from([&["mercer"], args].concat()).unwrap();
    let (out, err) = (Heard::default(), Heard::default());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = runtime.block_on(async {
        let columns = daemon.as_ref().and_then(|daemon| daemon.columns);
        if let Some(daemon) = daemon {
            listen(UnixListener::bind(socket).unwrap(), daemon.answers, asked.clone());
        }
        let mut output = Out::to(out.clone(), err.clone(), cli.json);
        output.width = columns;
        let done = run(cli, &PathBuf::from(socket), &mut output).await;
        output.end(done)
    });
    runtime.shutdown_background();
    let asked = asked.lock().unwrap().clone();
    Ran { code, out: out.text(), err: err.text(), asked }
}

/// Answers every connection until the runtime ends.
fn listen(listener: UnixListener, answers: Answers, asked: Arc<Mutex<Vec<String>>>) {
    let answers = Arc::new(Mutex::new(answers));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, answers.clone(), asked.clone()));
        }
    });
}

/// One connection, request by request. Ends with the connection.
async fn converse(stream: UnixStream, answers: Arc<Mutex<Answers>>, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.ok().filter(|read| *read > 0)?;
            let header = header.trim_end().to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        while chunked {
            let mut size = String::new();
            stream.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            body.extend_from_slice(&chunk[..size]);
            chunked = size > 0;
        }
        let told = format!("{request} {}", String::from_utf8_lossy(&body));
        asked.lock().unwrap().push(told.trim_end().to_owned());
        let (status, text) = answer(&mut answers.lock().unwrap(), &request);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).await.ok()?;
    }
}

fn answer(answers: &mut Answers, request: &str) -> (u16, String) {
    let plain = request.split('?').next().unwrap_or(request);
    let key = if answers.contains_key(request) { request } else { plain };
    match answers.get_mut(key) {
        Some(all) if all.len() > 1 => all.remove(0),
        Some(all) => all[0].clone(),
        None => {
            let problem = Problem::new(Code::NoSuchPath, request);
            (404, serde_json::to_string(&problem).unwrap())
        }
    }
}

/// A stream that remembers.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
