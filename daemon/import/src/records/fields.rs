//! The fields of one record in one buffer, and the grammar of separated text. The grammar is our own: the csv crate neither
//! gives back the lines that a stray quote swallowed, nor splits at `::`, nor falls back to another encoding for one line.

/// Fields of one record.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    text: String,
    ends: Vec<usize>,
}

impl Fields {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, field: &str) {
        self.text.push_str(field);
        self.ends.push(self.text.len());
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; empty where the record has none of that number.
    pub(crate) fn get(&self, place: usize) -> &str {
        match self.ends.get(place) {
            Some(end) => &self.text[place.checked_sub(1).map_or(0, |before| self.ends[before])..*end],
            None => "",
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }
}

/// Splits records of separated text (RFC 4180 with any separator). Quotes count only at the beginning of a field; what stands
/// after a closing quote is taken as it is, as most readers do.
#[derive(Debug, Clone)]
pub(crate) struct Splitter {
    separator: String,
    single: Option<char>,
    quotes: bool,
    open: bool,
    /// Whether a field that an earlier line opened was closed with something other than a separator behind its quote.
    loose: bool,
}

impl Splitter {
    pub(crate) fn new(separator: &str, quotes: bool) -> Self {
        let mut letters = separator.chars();
        let single = letters.next().filter(|_| letters.next().is_none());
        Self { separator: separator.to_owned(), single, quotes, open: false, loose: false }
    }

    pub(crate) fn separator(&self) -> &str {
        &self.separator
    }

    /// Forgets a record that was left open.
    pub(crate) const fn reset(&mut self) {
        (self.open, self.loose) = (false, false);
    }

    /// The same grammar at the beginning of a record.
    pub(crate) fn fresh(&self) -> Self {
        Self { open: false, loose: false, ..self.clone() }
    }

    /// Whether a quoted field is open.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Whether text followed the quote that closed a field of several lines; such a quote is probably stray.
    pub(crate) const fn is_loose(&self) -> bool {
        self.loose
    }

    /// Adds one line to the fields. Returns whether the record ends with it; if not, a quoted field continues in the
    /// next line.
    pub(crate) fn feed(&mut self, line: &str, fields: &mut Fields) -> bool {
        let mut rest = line;
        let mut begins = !self.open;
        let mut from_before = self.open;
        if self.open {
            fields.text.push('\n');
        }
        loop {
            if self.open {
                let Some(at) = rest.find('"') else {
                    fields.text.push_str(rest);
                    return false;
                };
                fields.text.push_str(&rest[..at]);
                rest = &rest[at + 1..];
                match rest.strip_prefix('"') {
                    Some(after) => {
                        fields.text.push('"');
                        rest = after;
                    }
                    None => {
                        self.open = false;
                        self.loose |= from_before && !rest.is_empty() && !rest.starts_with(&self.separator);
                        from_before = false;
                    }
                }
            } else if begins && self.quotes && rest.starts_with('"') {
                (self.open, begins, rest) = (true, false, &rest[1..]);
            } else {
                // A pattern of one letter is searched much faster than a string.
                let at = self.single.map_or_else(|| rest.find(&self.separator), |letter| rest.find(letter));
                let Some(at) = at else {
                    fields.push(rest);
                    return true;
                };
                fields.push(&rest[..at]);
                rest = &rest[at + self.separator.len()..];
                begins = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, separator: &str, quotes: bool) -> Vec<Vec<String>> {
        let (mut splitter, mut fields, mut all) = (Splitter::new(separator, quotes), Fields::default(), Vec::new());
        for line in text.lines() {
            if splitter.feed(line, &mut fields) {
                all.push(fields.iter().map(str::to_owned).collect());
                fields.clear();
            }
        }
        all
    }

    #[test]
    fn grammar() {
        assert_eq!(split("a,\"b,\"\"c\"\"\nd\",\ne", ",", true), [vec!["a", "b,\"c\"\nd", ""], vec!["e"]]);
        assert_eq!(
            split("1::Toy Story (1995)::Animation|Comedy", "::", true),
            [vec!["1", "Toy Story (1995)", "Animation|Comedy"]]
        );
        assert_eq!(split("5\" nail;\"quoted\" tail", ";", true), [vec!["5\" nail", "quoted tail"]]);
        assert_eq!(split("\"Great\" Film|x", "|", false), [vec!["\"Great\" Film", "x"]]);
    }

    proptest! {
        /// What the csv crate writes, we read: the same fields whatever they hold.
        #[test]
        fn reads_what_csv_writes(rows in prop::collection::vec(prop::collection::vec("[a-z\",; \n|é红]{0,12}", 3), 1..8), tab in any::<bool>()) {
            let separator = if tab { b'\t' } else { b',' };
            let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split(&text, if tab { "\t" } else { "," }, true), rows);
        }
    }
}
