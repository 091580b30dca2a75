//! Hashes of what a report was computed from, so that somebody who holds two reports can tell whether they speak of the same data and the
//! same version.

use std::path::{Path, PathBuf};

use mercer_shared::wire::{ModelState, ModelVersion, ReportHashes};

use crate::state::app::App;
use crate::state::problems::{Answer, internal};
use crate::state::shop::ShopState;
use crate::state::shop::state::Who;
use crate::versions::layout::directory;

/// Hashes of the data and the version of a view.
///
/// # Errors
/// `internal` where a file of the version cannot be read.
pub(crate) fn hashes(app: &App, view: &ShopState) -> Answer<ReportHashes> {
    Ok(ReportHashes { data: data(app, view)?, version: version(&app.config.state, &view.model.meta)? })
}

/// A hash over parts of which none can run into the next.
#[derive(Default)]
struct Parts(blake3::Hasher);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes()).update(part);
    }

    fn digest(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }

    fn hex(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// One digest for each user, visitor and item, in the order of the digests: the internal numbers differ after a restart. Users enter by
/// their keyed pseudonym, so that the hash confirms no guess of who was there.
fn data(app: &App, view: &ShopState) -> Answer<String> {
    let mut digests = Vec::with_capacity(view.subjects.len() + view.items.len());
    for (number, subject) in (0_u32..).zip(&view.subjects) {
        let mut parts = Parts::default();
        match &subject.who {
            Who::User(id) => parts.add(app.store.pseudonym(id).hex().as_bytes()),
            Who::Session(_) => parts.add(b"visitor"),
            Who::Erased => continue,
        }
        parts.add(&serde_json::to_vec(&(&subject.consent, &subject.attributes)).map_err(|error| internal(&error))?);
        for event in view.rank.log.events(number) {
            let item = event.item.and_then(|item| view.item(item));
            parts.add(item.map_or(&b""[..], |item| item.id.as_str().as_bytes()));
            parts.add(event.kind.as_str().as_bytes());
            parts.add(&event.value.to_le_bytes());
            parts.add(&event.at.to_le_bytes());
        }
        digests.push(parts.digest());
    }
    let items = (0_u32..).zip(&view.items).filter(|(number, _)| !view.deleted.contains(number));
    for (_, item) in items {
        let mut parts = Parts::default();
        parts.add(&serde_json::to_vec(&**item).map_err(|error| internal(&error))?);
        digests.push(parts.digest());
    }
    digests.sort_unstable();
    let mut all = Parts::default();
    digests.iter().for_each(|digest| all.add(digest));
    Ok(all.hex())
}

/// The version's document without what changes after its making, and every file of its directory by name.
pub(crate) fn version(state: &Path, meta: &ModelVersion) -> Answer<String> {
    let made = ModelVersion { state: ModelState::Candidate, pinned: false, promoted: None, ..meta.clone() };
    let mut parts = Parts::default();
    parts.add(&serde_json::to_vec(&made).map_err(|error| internal(&error))?);
    let dir = directory(state, &meta.version);
    let mut files = Vec::new();
    gather(&dir, &mut files).map_err(|error| internal(&error))?;
    files.sort();
    for path in files {
        let name = path.strip_prefix(&dir).unwrap_or(&path).to_string_lossy().into_owned();
        parts.add(name.as_bytes());
        parts.add(&std::fs::read(&path).map_err(|error| internal(&error))?);
    }
    Ok(parts.hex())
}

/// The files below a directory; none where there is no directory: the first version has none.
fn gather(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            gather(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;

    use super::*;
    use crate::versions::directory::draft;

    #[test]
    fn the_hash_of_a_version_follows_its_files_and_not_its_state() {
        let dir = tempfile::tempdir().unwrap();
        let mut meta = ModelVersion { version: "v000001".to_owned(), ..draft(Timestamp::default()) };
        let bare = version(dir.path(), &meta).unwrap();
        let files = directory(dir.path(), "v000001");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("ranker.json"), "{}").unwrap();
        let first = version(dir.path(), &meta).unwrap();
        assert_ne!(bare, first);
        (meta.state, meta.pinned) = (ModelState::Serving, true);
        assert_eq!(version(dir.path(), &meta).unwrap(), first);
        std::fs::write(files.join("ranker.json"), "{ }").unwrap();
        assert_ne!(version(dir.path(), &meta).unwrap(), first);
    }
}
