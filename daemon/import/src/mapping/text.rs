//! Cleans titles, descriptions and other texts that people read.

use std::borrow::Cow;

/// A text for people: HTML entities decoded, control characters and runs of white space made one space, none at the ends.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let plain = |pair: &[u8]| pair != b"  " && pair.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'&');
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| (b'!'..=b'~').contains(byte) && *byte != b'&');
    if ends(bytes.first()) && ends(bytes.last()) && bytes.windows(2).all(plain) {
        return Cow::Borrowed(text);
    }
    let decoded = html_escape::decode_html_entities(text);
    let mut out = String::with_capacity(decoded.len());
    for word in decoded.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned() {
        assert_eq!(clean("  Salt &amp;\tPepper \u{7} "), "Salt & Pepper");
        assert_eq!(clean("caf&eacute;&nbsp;&#39;x&#39;"), "café 'x'");
        assert_eq!(clean("&"), "&");
        assert_eq!(clean("a  b"), "a b");
        assert_eq!(clean("红\u{3000}裙"), "红 裙");
        assert_eq!(clean(""), "");
        assert!(matches!(clean("WHITE METAL LANTERN"), Cow::Borrowed(_)));
    }
}
