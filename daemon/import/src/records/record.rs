//! The result of one reading step.

use super::documents::Place;
use super::fields::Fields;
use crate::validate::Refusal;

/// The result of one reading step.
pub(crate) enum Step<'a> {
    /// A record of a section: usually one row, of a JSON document with lists one for each member.
    Record {
        /// Its place.
        place: RecordPlace,
        /// Which section of the preset reads it.
        section: usize,
        /// Its rows, through [`Records::places`](super::Records::places).
        rows: &'a [Fields],
    },
    /// Something that is no record.
    Bad(RecordPlace, Refusal),
    /// The end.
    End,
}

/// The place of a record in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordPlace {
    /// The line it begins in, from 1, the header counted; the row for Parquet.
    pub(crate) line: u64,
    /// Number of its document in a list of documents, from 0.
    pub(crate) element: Option<u64>,
    /// Its number in the list of records that its document holds, from 0.
    pub(crate) member: Option<u64>,
}

impl RecordPlace {
    /// The place of a record that is a line of its own.
    pub(crate) const fn line(line: u64) -> Self {
        Self { line, element: None, member: None }
    }

    /// The place of a document.
    pub(crate) const fn of(place: Place) -> Self {
        Self { line: place.line, element: place.element, member: None }
    }

    /// The place within a line in words: `[2].events[3]`. `records` names the list inside the document.
    pub(crate) fn inside(&self, records: Option<&str>) -> Option<String> {
        let element = self.element.map(|element| format!("[{element}]"));
        let member = self.member.map(|member| format!("{}[{member}]", records.unwrap_or_default()));
        match (element, member) {
            (Some(element), Some(member)) => Some(format!("{element}.{member}")),
            (place, None) | (None, place) => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside_documents_are_named() {
        let place = RecordPlace { line: 1, element: Some(2), member: Some(3) };
        assert_eq!(place.inside(Some("events")).as_deref(), Some("[2].events[3]"));
        assert_eq!(RecordPlace { element: None, ..place }.inside(Some("events")).as_deref(), Some("events[3]"));
        assert_eq!(RecordPlace { member: None, ..place }.inside(None).as_deref(), Some("[2]"));
        assert_eq!(RecordPlace::line(7).inside(Some("events")), None);
    }
}
