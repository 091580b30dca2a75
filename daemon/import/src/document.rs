//! One JSON document from the bytes of one line, with a code that tells broken JSON from a wrong type, a bad id, a bad time
//! and a bad number.

use mercer_shared::problem::Code;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::validate::Refusal;

/// Longest line in bytes; a longer one is refused without being held in memory.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// The UTF-8 byte order mark, which editors and spreadsheets put before a text.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads one document. White space and a byte order mark around it do not matter, unknown fields do. Does not check what
/// [`validate`](crate::validate) checks.
///
/// # Errors
/// `line-too-long`, `broken-json`, `wrong-type`, `bad-id`, `bad-time` or `bad-number`, with the column where it went wrong.
pub fn parse_line<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.len() > MAX_LINE_BYTES {
        return Err(Refusal::new(
            Code::LineTooLong,
            format!("the line has {} bytes, at most {MAX_LINE_BYTES} are read", bytes.len()),
        ));
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| refusal(&error, bytes))
}

/// Converts an error of serde to a refusal. serde passes no codes through a custom error, so the messages of our own id
/// and time errors are recognised; a test holds them together.
fn refusal(error: &serde_json::Error, bytes: &[u8]) -> Refusal {
    let text = error.to_string();
    // A line is one line: only the column tells something.
    let said = text.replace(" at line 1 column ", " at column ");
    let code = match error.classify() {
        Category::Io | Category::Eof => Code::BrokenJson,
        Category::Syntax if text.starts_with("number out of range") => Code::BadNumber,
        Category::Syntax if is_no_number(bytes, error) => {
            return Refusal::new(Code::BadNumber, format!("NaN and infinity are no numbers in JSON, {said}"));
        }
        Category::Syntax => Code::BrokenJson,
        Category::Data if is_id_error(&text) => Code::BadId,
        Category::Data if is_time_error(&text) => Code::BadTime,
        Category::Data if text.starts_with("invalid value: integer") => Code::BadNumber,
        Category::Data => Code::WrongType,
    };
    Refusal::new(code, said)
}

fn is_id_error(text: &str) -> bool {
    text.starts_with("an id must not") || text.starts_with("an id has at most")
}

fn is_time_error(text: &str) -> bool {
    text.starts_with("times before 1970") || text.contains("is no RFC 3339 time")
}

/// Whether the parser stopped at `NaN`, `Infinity` or a similar word, which JSON does not have.
fn is_no_number(bytes: &[u8], error: &serde_json::Error) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The column is one-based and may point one past the first letter of the word.
    let end = error.column().min(line.len());
    let start = line[..end].iter().rposition(|byte| matches!(byte, b':' | b',' | b'[' | b' ')).map_or(0, |at| at + 1);
    let rest = line[start..].strip_prefix(b"-").unwrap_or(&line[start..]);
    ["NaN", "nan", "Infinity", "inf"].iter().any(|word| rest.starts_with(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercer_shared::wire::{ExportLine, Interaction, Item};

    fn code(line: &str) -> Code {
        parse_line::<Interaction>(line.as_bytes()).unwrap_err().code
    }

    #[test]
    fn every_way_to_be_wrong_has_its_code() {
        assert_eq!(code(r#"{"user":"u""#), Code::BrokenJson);
        assert_eq!(code(r"nonsense"), Code::BrokenJson);
        assert_eq!(code(""), Code::BrokenJson);
        assert_eq!(code("{\"user\":\"\u{1}\"}"), Code::BrokenJson);
        assert_eq!(code(r#"{"user":"u","type":"view","item":7,"at":"2024-05-01"}"#), Code::WrongType);
        assert_eq!(code(r#"{"user":"u","type":"gaze","item":"7","at":"2024-05-01"}"#), Code::WrongType);
        assert_eq!(code(r#"{"user":"u","type":"view","item":"7"}"#), Code::WrongType);
        assert_eq!(code(r#"{"user":"u","type":"view","item":"7","at":"2024-05-01","colour":"red"}"#), Code::WrongType);
        assert_eq!(code(r#"{"user":"","type":"view","item":"7","at":"2024-05-01"}"#), Code::BadId);
        assert_eq!(code(r#"{"user":"a\u0007","type":"view","item":"7","at":"2024-05-01"}"#), Code::BadId);
        assert_eq!(
            code(&format!(r#"{{"user":"{}","type":"view","item":"7","at":"2024-05-01"}}"#, "u".repeat(257))),
            Code::BadId
        );
        assert_eq!(code(r#"{"user":"u","type":"view","item":"7","at":"1969-12-31T00:00:00Z"}"#), Code::BadTime);
        assert_eq!(code(r#"{"user":"u","type":"view","item":"7","at":"yesterday"}"#), Code::BadTime);
        assert_eq!(code(r#"{"user":"u","type":"view","value":NaN,"item":"7","at":"2024-05-01"}"#), Code::BadNumber);
        assert_eq!(
            code(r#"{"user":"u","type":"view","value": -Infinity,"item":"7","at":"2024-05-01"}"#),
            Code::BadNumber
        );
        assert_eq!(code(r#"{"user":"u","type":"view","value":1e999,"item":"7","at":"2024-05-01"}"#), Code::BadNumber);
        assert_eq!(code(r#"{"user":"u","type":"view","position":-1,"item":"7","at":"2024-05-01"}"#), Code::BadNumber);
    }

    #[test]
    fn documents_are_read() {
        let line = parse_line::<ExportLine>(br#" {"item":{"id":"1","title":"t"}} "#).unwrap();
        assert!(matches!(line, ExportLine::Item(item) if item.title == "t"));
        assert_eq!(parse_line::<Item>(&vec![b' '; MAX_LINE_BYTES + 1]).unwrap_err().code, Code::LineTooLong);
        let nested =
            parse_line::<ExportLine>(br#"{"interaction":{"user":"","type":"view","item":"7","at":"2024-05-01"}}"#)
                .unwrap_err();
        assert_eq!(nested.code, Code::BadId);
    }
}
