//! The records of a text, and the fields of a record that may be an id.

/// Whether a text is one JSON document: a list, or an object over several lines. Its lines say nothing by themselves.
pub(super) fn is_one_document(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    text.starts_with(b"[") || (text.starts_with(b"{") && lines.any(|line| !line.starts_with(b"{")))
}

/// Cuts a text into records: lines, where a line break between quotes belongs to its field. Each keeps its line break.
pub(super) fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut start, mut quoted) = (Vec::new(), 0, false);
    // In JSON a line is a document, and where quotes do not pair nobody knows which line breaks belong to a field.
    let plain =
        bytes.trim_ascii_start().starts_with(b"{") || bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if !plain => quoted = !quoted,
            b'\n' if !quoted => {
                out.push(&bytes[start..=place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    if start < bytes.len() {
        out.push(&bytes[start..]);
    }
    out
}

/// The fields of a record that may be an id: every string and number of a JSON document, else what stands between separators.
pub(super) fn fields(record: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(record)
        && value.is_object()
    {
        leaves(&value, &mut out);
        return out;
    }
    let text = String::from_utf8_lossy(record);
    let mut field = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' | ';' | '\t' | '|' | '\n' | '\r' | ':' if !quoted => push(&mut field, &mut out),
            letter => field.push(letter),
        }
    }
    push(&mut field, &mut out);
    out
}

/// Ends a field; a number with an empty fraction is also given without it, as presets may read it.
fn push(field: &mut String, out: &mut Vec<String>) {
    let trimmed = field.trim();
    if !trimmed.is_empty() {
        out.push(trimmed.to_owned());
        if let Some(whole) = trimmed.strip_suffix(".0") {
            out.push(whole.to_owned());
        }
    }
    field.clear();
}

/// The strings and numbers of a JSON document.
fn leaves(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => out.push(text.clone()),
        serde_json::Value::Number(number) => push(&mut number.to_string(), out),
        serde_json::Value::Array(list) => list.iter().for_each(|one| leaves(one, out)),
        serde_json::Value::Object(map) => map.values().for_each(|one| leaves(one, out)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}
