//! The lexicon of sensitive categories: goods and searches that tell of a person what the law protects.

use mercer_shared::wire::Item;
use rustc_hash::FxHashMap;
use serde::Deserialize;

/// The lexicon that ships.
const SHIPPED: &str = include_str!("../../../../data/privacy/sensitive.toml");
/// The attribute by which an item says itself whether it is sensitive.
const ATTRIBUTE: &str = "sensitive";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    category: Vec<Category>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Category {
    name: String,
    terms: Vec<String>,
}

/// Terms by category.
#[derive(Debug, Default)]
pub struct Lexicon {
    names: Vec<String>,
    /// Phrases of words by their first word: the whole phrase and the place of its category.
    phrases: FxHashMap<String, Vec<(Vec<String>, usize)>>,
    /// Terms that are found anywhere in a text, with the places of their categories.
    anywhere: Vec<(String, usize)>,
}

/// A word without a plural s. `glass` and `s` stay as they are.
fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// The words of a text: letters and digits in lower case, without plural s.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(singular).collect()
}

/// Whether a term is written without spaces between words, as Chinese is.
fn is_unspaced(term: &str) -> bool {
    term.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'))
}

impl Lexicon {
    /// The lexicon that ships.
    ///
    /// # Errors
    /// None for the file as it ships; a test reads it.
    pub fn shipped() -> Result<Self, String> {
        Self::parse(SHIPPED)
    }

    /// Reads a lexicon.
    ///
    /// # Errors
    /// What is wrong with it: syntax, an unknown key, an empty term.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut lexicon = Self::default();
        for (place, category) in file.category.into_iter().enumerate() {
            for term in category.terms {
                let words = words(&term);
                let Some(first) = words.first() else {
                    return Err(format!("category `{}` has a term without a letter: `{term}`", category.name));
                };
                if is_unspaced(&term) {
                    lexicon.anywhere.push((term.to_lowercase(), place));
                } else {
                    lexicon.phrases.entry(first.clone()).or_default().push((words, place));
                }
            }
            lexicon.names.push(category.name);
        }
        Ok(lexicon)
    }

    /// The category of a text, if one of its terms is in it.
    #[must_use]
    pub fn category(&self, text: &str) -> Option<&str> {
        let lower = text.to_lowercase();
        let anywhere = self.anywhere.iter().find(|(term, _)| lower.contains(term.as_str())).map(|(_, place)| *place);
        let found = anywhere.or_else(|| {
            let words = words(text);
            (0..words.len()).find_map(|start| {
                let phrases = self.phrases.get(&words[start])?;
                phrases.iter().find(|(phrase, _)| words[start..].starts_with(phrase)).map(|(_, place)| *place)
            })
        });
        found.map(|place| self.names[place].as_str())
    }

    /// Whether an item is sensitive: by its own word, else by title, category and attributes. The description does not count, because
    /// it also speaks of what a good is not.
    #[must_use]
    pub fn has_item(&self, item: &Item) -> bool {
        match item.attributes.get(ATTRIBUTE).map(|word| word.to_lowercase()) {
            Some(word) if matches!(word.as_str(), "no" | "false" | "0") => return false,
            Some(word) if matches!(word.as_str(), "yes" | "true" | "1") => return true,
            _ => {}
        }
        let texts = std::iter::once(&item.title).chain(&item.category).chain(item.attributes.values());
        texts.into_iter().any(|text| self.category(text).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_whole_words_and_chinese_ones_stand_anywhere() {
        let lexicon = Lexicon::shipped().unwrap();
        for (text, category) in [
            ("HIV Self-Test kit, 2 pcs", Some("health")),
            ("Pack of 12 CONDOMS", Some("sex life and sexual orientation")),
            ("家用早孕试纸 10条", Some("health")),
            ("Wooden Rosary beads", Some("religion or belief")),
            ("trade unions of Europe", Some("trade union membership")),
            ("ROSE candle", None),
            ("CHRISTMAS STAR, WHITE METAL", None),
            ("Bibles", Some("religion or belief")),
            ("bibliography of gardening", None),
            ("Statins and stationery", Some("health")),
            ("status lamp", None),
        ] {
            assert_eq!(lexicon.category(text), category, "{text}");
        }
    }

    #[test]
    fn an_item_may_say_it_itself() {
        let lexicon = Lexicon::shipped().unwrap();
        let mut item = Item::new("1".parse().unwrap(), "Bible black ink");
        assert!(lexicon.has_item(&item));
        item.attributes.insert("sensitive".to_owned(), "no".to_owned());
        assert!(!lexicon.has_item(&item));
        let mut item = Item::new("1".parse().unwrap(), "Lamp");
        item.description = Some("no condom".to_owned());
        assert!(!lexicon.has_item(&item), "descriptions do not count");
        item.attributes.insert("sensitive".to_owned(), "Yes".to_owned());
        assert!(lexicon.has_item(&item));
    }

    #[test]
    fn a_broken_lexicon_says_what_is_wrong() {
        assert!(
            Lexicon::parse("[[category]]\nname = \"x\"\nterms = [\" - \"]\n").unwrap_err().contains("without a letter")
        );
        assert!(Lexicon::parse("[[category]]\nname = \"x\"\n").is_err());
        assert!(Lexicon::parse("categories = 1\n").is_err());
    }
}
