//! An open file together with the section of the preset that reads it.

/// An opened form, the section that reads it and the positions of the section's columns.
pub(super) struct Opened<T> {
    pub(super) form: T,
    pub(super) section: usize,
    pub(super) places: Vec<Option<usize>>,
}

impl<T> Opened<T> {
    /// The form, and the positions for each section of the preset.
    pub(super) fn split(self, sections: usize) -> (Box<T>, Vec<Vec<Option<usize>>>) {
        let mut all = vec![Vec::new(); sections];
        all[self.section] = self.places;
        (Box::new(self.form), all)
    }
}
