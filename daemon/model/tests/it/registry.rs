//! Adding encoders: checked copies, downloads from a local server that speaks as the hub does, the hub's cache.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use mercer_model::{ModelError, hf, registry};

use crate::fixture;

fn source(root: &Path) -> PathBuf {
    let dir = root.join("some-encoder");
    hf::save(&fixture::checkpoint(1), &dir).unwrap();
    dir
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_copy_is_checked_named_by_version_and_made_once() {
    let root = tempfile::tempdir().unwrap();
    let (src, dest) = (source(root.path()), root.path().join("encoders"));
    std::fs::write(src.join("optimizer.pt"), "pickle").unwrap();
    let added = registry::add_from_dir(&src, &dest).unwrap();
    assert_eq!(added.identity.version, fixture::checkpoint(1).identity.version);
    assert!(!added.dir.join("optimizer.pt").exists());
    assert_eq!(registry::add_from_dir(&src, &dest).unwrap().dir, added.dir);
    assert_eq!(entries(&dest).len(), 1);
}

#[test]
fn a_broken_source_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let (src, dest) = (source(root.path()), root.path().join("encoders"));
    std::fs::write(src.join("model.safetensors"), "short").unwrap();
    assert!(matches!(registry::add_from_dir(&src, &dest), Err(ModelError::Weights { .. })));
    assert!(entries(&dest).is_empty());
    assert!(matches!(registry::add_from_dir(&root.path().join("none"), &dest), Err(ModelError::Missing { .. })));
}

/// Serves `dir` as `/org/small/resolve/main/FILE`; a file named `cut` is announced longer than it is sent. Ends with the test process.
fn serve(dir: PathBuf, cut: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            while lines.next().is_some_and(|l| !l.is_empty()) {}
            let body = path.strip_prefix("/org/small/resolve/main/").and_then(|f| std::fs::read(dir.join(f)).ok());
            let head = match &body {
                Some(b) => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", b.len()),
                None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            };
            let body = body.unwrap_or_default();
            let sent = if cut.is_some_and(|c| path.ends_with(c)) { body.len() / 2 } else { body.len() };
            // The client may hang up early; that is its business.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
        }
    });
    address
}

#[test]
fn downloads_in_the_layout_of_the_hub() {
    let root = tempfile::tempdir().unwrap();
    let src = source(root.path());
    std::fs::remove_file(src.join("mercer.json")).unwrap();
    let endpoint = serve(src, None);
    let dest = root.path().join("encoders");
    let added = registry::download("org/small", &endpoint, &dest).unwrap();
    assert_eq!(added.identity.name, "org/small");
    assert!(added.dir.join("model.safetensors").is_file());
    let error = registry::download("org/other", &endpoint, &dest).unwrap_err().to_string();
    assert!(error.contains("404"), "{error}");
    for name in ["../x", "a/b/c", "", "org/sm all"] {
        assert!(matches!(registry::download(name, &endpoint, &dest), Err(ModelError::Download { .. })), "{name:?}");
    }
    assert_eq!(entries(&dest).len(), 1);
}

#[test]
fn a_connection_that_breaks_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let endpoint = serve(source(root.path()), Some("model.safetensors"));
    let dest = root.path().join("encoders");
    assert!(matches!(registry::download("org/small", &endpoint, &dest), Err(ModelError::Download { .. })));
    assert!(matches!(registry::download("org/small", "http://127.0.0.1:1", &dest), Err(ModelError::Download { .. })));
    assert!(entries(&dest).is_empty());
}

#[test]
fn finds_what_the_hubs_own_tools_downloaded() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("models--org--small");
    assert!(registry::find_in_cache("org/small", root.path()).is_none());
    hf::save(&fixture::checkpoint(1), &base.join("snapshots/abc")).unwrap();
    std::fs::create_dir_all(base.join("refs")).unwrap();
    std::fs::write(base.join("refs/main"), "abc\n").unwrap();
    let found = registry::find_in_cache("org/small", root.path()).unwrap();
    std::fs::remove_file(found.join("mercer.json")).unwrap();
    assert_eq!(mercer_model::Checkpoint::load(&found).unwrap().identity.name, "org/small");
}
