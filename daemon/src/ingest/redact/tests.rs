//! What is taken out of files of the inbox, and what stays.

use super::*;

fn redacted(name: &str, bytes: &[u8]) -> (Option<String>, Redacted) {
    let (left, done) = redacted_in(Archive::Done, name, bytes);
    (left.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()), done)
}

fn redacted_in(archive: Archive, name: &str, bytes: &[u8]) -> (Option<Vec<u8>>, Redacted) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let ids = ["vera".to_owned(), "17850".to_owned()];
    let done = file(&path, archive, None, Erased::Ids(&ids)).unwrap();
    (fs::read(&path).ok(), done)
}

#[test]
fn records_of_an_erased_user_go_and_the_others_stay() {
    let csv = b"user,item,text\nvera,1,\"two\nlines, of vera\"\nwim,2,\"kept\n\"\n\"vera\",3,\n17850.0,4,\nveras,5,\n";
    let (left, done) = redacted("a.csv", csv);
    assert_eq!(left.unwrap(), "user,item,text\nwim,2,\"kept\n\"\nveras,5,\n");
    assert_eq!(done, Redacted { records: 3, files: 0 });
    let ndjson = "{\"user\":\"vera\",\"text\":\"a\"}\n{\"user\":\"wim\",\"n\":[17850]}\n{\"user\":\"zoe\",\"text\":\"said \\\"vera\\\"\"}\n";
    let (left, done) = redacted("interactions.ndjson", ndjson.as_bytes());
    assert_eq!(left.unwrap(), "{\"user\":\"zoe\",\"text\":\"said \\\"vera\\\"\"}\n");
    assert_eq!(done.records, 2);
    let (left, done) = redacted("b.csv", b"user,item\nwim,2\n");
    assert_eq!((left.as_deref(), done), (Some("user,item\nwim,2\n"), Redacted::default()));
}

#[test]
fn a_file_that_cannot_be_taken_apart_goes_whole_where_it_names_one() {
    let line = |user: &str| format!(r#"{{"user":"{user}","type":"view","item":"1","at":"2026-01-01T00:00:00Z"}}"#);
    let list = |user: &str| format!("[{}]", line(user));
    assert_eq!(redacted("interactions.ndjson", list("vera").as_bytes()).1.files, 1);
    let (left, done) = redacted("interactions.ndjson.2", list("wim").as_bytes());
    assert!(left.is_some() && done == Redacted::default());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(format!("{}\n", line("vera")).as_bytes()).unwrap();
    assert_eq!(redacted("interactions.ndjson.gz", &packed.finish().unwrap()).1.files, 1);
}

/// What is left of a rejected file.
fn rejected(name: &str, text: &str) -> (Option<String>, Redacted) {
    let (left, done) = redacted_in(Archive::Rejected, name, text.as_bytes());
    (left.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()), done)
}

#[test]
fn lines_of_a_rejected_file_go_where_they_name_one_however_broken_they_are() {
    let ndjson = "{\"user:\"vera\",\"type\"\n{\"user\":\"wim\",\"te\n{\"user\":\"zoe\",\"text\":\"of vera\"}\n{\"user\":\"veras\"\n";
    let (left, done) = rejected("interactions.ndjson", ndjson);
    assert_eq!(left.unwrap(), "{\"user\":\"wim\",\"te\n{\"user\":\"veras\"\n");
    assert_eq!(done, Redacted { records: 2, files: 0 });
    let (left, done) = rejected("odd.csv", "who what\nvera bought \"a lamp\nwim bought a rope\n17850 bought oil\n");
    assert_eq!((left.as_deref(), done.records), (Some("who what\nwim bought a rope\n"), 2));
    let (left, done) = rejected("odd.csv", "who what\nwim bought a rope\n");
    assert_eq!((left.as_deref(), done), (Some("who what\nwim bought a rope\n"), Redacted::default()));
    // Lines of a document over several lines say nothing by themselves.
    let pretty = |user: &str| format!("{{\n \"user\": \"{user}\",\n \"text\": \"private\"\n");
    assert_eq!(rejected("items.json", &pretty("vera")).1.files, 1);
    assert_eq!(rejected("items.json", &pretty("wim")).1, Redacted::default());
}

#[test]
fn a_compressed_rejected_file_is_unpacked_and_packed_again() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"who what\nvera bought a lamp\nwim bought a rope\n").unwrap();
    let whole = packed.finish().unwrap();
    let (left, done) = redacted_in(Archive::Rejected, "odd.csv.gz", &whole);
    assert_eq!(done, Redacted { records: 1, files: 0 });
    assert_eq!(PackedText::unpack(&left.unwrap()).unwrap().text, b"who what\nwim bought a rope\n");
    let (left, done) = redacted_in(Archive::Rejected, "odd.csv.gz", &whole[..whole.len() - 9]);
    assert_eq!((left, done.files), (None, 1), "what cannot be looked into cannot be kept");
}

#[test]
fn a_broken_line_of_a_file_that_was_read_goes_as_well() {
    let (left, done) = redacted("interactions.ndjson", b"{\"user\":\"wim\"}\n{\"user:\"vera\",\"type\"\n");
    assert_eq!((left.as_deref(), done.records), (Some("{\"user\":\"wim\"}\n"), 1));
}

#[test]
fn a_report_keeps_its_counts_and_loses_what_it_quotes() {
    let report = r#"{"problem":{"detail":"line 1: `vera` is no time"},"report":{"lines":17850,"file":"a.csv"}}"#;
    let (left, done) = rejected("a.csv.report.json", report);
    let left: Value = serde_json::from_str(&left.unwrap()).unwrap();
    assert_eq!((left["problem"]["detail"].as_str(), done.records), (Some(TAKEN_OUT), 1));
    assert_eq!((&left["report"]["lines"], &left["report"]["file"]), (&17850.into(), &"a.csv".into()));
}
