//! Who was erased, and whether a text names one of them.

use crate::ingest::redact::records::fields;

/// Tells ids of erased users, and of the visits that went with them.
#[derive(Clone, Copy)]
pub(crate) enum Erased<'a> {
    /// These.
    Ids(&'a [String]),
    /// Those of whom the store has a tombstone: it tells an id, and has no list of them.
    Told(&'a dyn Fn(&str) -> bool),
}

/// Letters and digits of a script with spaces between words, and what joins them to one word. Where a script has no spaces, every place
/// in it may be the end of a word.
fn is_word(letter: char) -> bool {
    (letter.is_alphanumeric() && letter < '\u{2e80}') || matches!(letter, '_' | '-')
}

/// What joins two words to one: `17850.5` and `vera@shop` are no `17850` and no `vera`.
const fn joins(letter: char) -> bool {
    matches!(letter, '.' | '@' | '+')
}

impl Erased<'_> {
    /// Whether this is an erased id.
    pub(super) fn is(self, text: &str) -> bool {
        match self {
            Self::Ids(ids) => ids.iter().any(|id| id == text),
            Self::Told(tell) => tell(text),
        }
    }

    /// Whether a text that cannot be parsed has an erased id in it, as a whole word.
    pub(super) fn is_named_in(self, text: &str) -> bool {
        match self {
            Self::Ids(ids) => ids.iter().any(|id| has_word(text, id) || escaped(id).any(|form| has_word(text, &form))),
            Self::Told(_) => {
                words(text).any(|word| self.is(word)) || fields(text.as_bytes()).iter().any(|f| self.is(f))
            }
        }
    }
}

/// The forms that an id has between the quotes of JSON, where they differ from it.
fn escaped(id: &str) -> impl Iterator<Item = String> + use<'_> {
    let quoted = serde_json::to_string(id).unwrap_or_default();
    let short = quoted.trim_matches('"').to_owned();
    let mut units = [0; 2];
    let long: String = short
        .chars()
        .map(|letter| match letter {
            letter if letter.is_ascii() => letter.to_string(),
            letter => letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect();
    [short, long].into_iter().filter(move |form| form != id)
}

/// Whether a text has a word in it as a whole.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (mut before, after) = (text[..at].chars().rev(), &text[at + word.len()..]);
        // A number may be written with an empty fraction.
        let whole = word.bytes().all(|byte| byte.is_ascii_digit()).then(|| after.strip_prefix(".0")).flatten();
        let ends = |mut next: std::str::Chars<'_>| !goes_on(&mut next);
        !goes_on(&mut before) && (ends(after.chars()) || whole.is_some_and(|rest| ends(rest.chars())))
    })
}

/// Whether a word goes on with these letters.
fn goes_on(letters: &mut dyn Iterator<Item = char>) -> bool {
    match letters.next() {
        Some(letter) if joins(letter) => letters.next().is_some_and(is_word),
        Some(letter) => is_word(letter),
        None => false,
    }
}

/// The words of a text, joined ones as a whole and by their parts up to an empty fraction.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !is_word(letter) && !joins(letter)).flat_map(|word| {
        let word = word.trim_matches(joins);
        [Some(word), word.strip_suffix(".0")].into_iter().flatten().filter(|word| !word.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_as_a_whole_word() {
        let ids = ["vera".to_owned(), "17850".to_owned(), "zoë \"z\"".to_owned()];
        let erased = Erased::Ids(&ids);
        let told = |text: &str| text == "vera" || text == "17850";
        let told = Erased::Told(&told);
        for (text, named) in [
            ("{\"user:\"vera\",\"type\"", true),
            ("mail of vera.", true),
            ("user=vera item=5", true),
            ("veras", false),
            ("x-vera_2", false),
            ("vera@shop.com and v.vera.x", false),
            ("17850.0;2", true),
            ("17850.01;2", false),
            ("\u{7528}\u{6237}17850\u{8bf4}", true),
            ("117850 178500", false),
        ] {
            assert_eq!((erased.is_named_in(text), told.is_named_in(text)), (named, named), "{text}");
        }
        assert!(erased.is_named_in(r#"{"user":"zo\u00eb \"z\"",}"#), "as JSON escapes it");
    }
}
