//! The artifacts of a model version: one struct, with one table of its files that saving and loading walk.
//!
//! A further artifact is a field of [`Artifacts`] and a row of `FILES`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use mercer_rank::{BlendWeights, Ranker, SequenceScorer, Whitening};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::state::probabilities::Probabilities;
use crate::state::problems::{Answer, internal};
use crate::state::sequence::artifact::SequenceArtifact;

/// The trained parts of a version.
#[derive(Clone, Default)]
pub struct Artifacts {
    /// The adapter: what tuning changed in the encoder, as safetensors; `None` if the base encoder serves.
    pub adapter: Option<Arc<[u8]>>,
    /// The whitening of the encoder's vectors for text similarity; `None` if vectors are compared without whitening.
    pub whitening: Option<Arc<Whitening>>,
    /// Fitted weights of the blend; `None` if they are derived from the log.
    pub blend: Option<BlendWeights>,
    /// The learned ranker; its sequence model is `sequence`.
    pub ranker: Option<Arc<Ranker>>,
    /// The sequence model beside the ranker.
    pub sequence: Option<Arc<SequenceArtifact>>,
    /// Calibration from the ranker's scores to probabilities.
    pub probabilities: Option<Arc<Probabilities>>,
    /// The ranker that the gate evaluated, trained on nothing later than the gate's cut-off.
    pub judged_ranker: Option<Arc<Ranker>>,
    /// The sequence model beside that ranker.
    pub judged_sequence: Option<Arc<SequenceArtifact>>,
}

/// A file of a version's directory.
struct ArtifactFile {
    name: &'static str,
    /// Whether lists need it; the others are read for reports alone.
    serves: bool,
    /// The file's bytes; none where the version has no such artifact.
    save: fn(&Artifacts) -> Answer<Option<Vec<u8>>>,
    /// Puts the file's bytes into the artifacts. The directory is for files that come in pairs.
    load: fn(&mut Artifacts, &File<'_>) -> Answer<()>,
}

/// The bytes of a file that is there, and where it lies.
struct File<'a> {
    dir: &'a Path,
    path: &'a Path,
    bytes: Vec<u8>,
}

impl File<'_> {
    fn damaged(&self, why: &dyn std::fmt::Display) -> Problem {
        damaged(self.path, why)
    }

    fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        serde_json::from_slice(&self.bytes).map_err(|error| self.damaged(&error))
    }

    /// Reads a ranker, unless it was trained on other features than this program's. In that case the version serves the
    /// blend until the next cycle.
    fn ranker(&self) -> Answer<Option<Arc<Ranker>>> {
        #[derive(Deserialize)]
        struct Trained {
            features: Vec<String>,
        }
        if !mercer_rank::are_current_features(&self.json::<Trained>()?.features) {
            let path = self.path.display();
            tracing::warn!(%path, "a ranker of another program version is left out; `mercer train` makes a new one");
            return Ok(None);
        }
        self.json().map(Some)
    }

    /// A sequence model; the ids of its items lie in a file of their own.
    fn sequence(&self, items: &str) -> Answer<Option<Arc<SequenceArtifact>>> {
        let path = self.dir.join(items);
        let bytes = std::fs::read(&path).map_err(|error| damaged(&path, &error))?;
        let ids: Vec<ItemId> = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?;
        let model = SequenceArtifact::from_bytes(&self.bytes, ids.into(), self.path);
        model.map(|model| Some(Arc::new(model))).map_err(|error| self.damaged(&error))
    }
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, format!("{}: {why}", path.display()))
}

fn json<T: serde::Serialize>(part: Option<&T>) -> Answer<Option<Vec<u8>>> {
    part.map(serde_json::to_vec).transpose().map_err(|error| internal(&error))
}

fn weights(model: Option<&SequenceArtifact>) -> Answer<Option<Vec<u8>>> {
    model.map(SequenceArtifact::to_bytes).transpose().map_err(|error| internal(&error))
}

fn items(model: Option<&SequenceArtifact>) -> Answer<Option<Vec<u8>>> {
    json(model.map(SequenceArtifact::ids).map(<[ItemId]>::to_vec).as_ref())
}

const SEQUENCE_ITEMS: &str = "network-items.json";
const JUDGED_SEQUENCE_ITEMS: &str = "judged-network-items.json";

/// All files of a version. A sequence model is read before its ranker, which is attached to it.
const FILES: [ArtifactFile; 10] = [
    ArtifactFile {
        name: "adapter.safetensors",
        serves: true,
        save: |all| Ok(all.adapter.as_deref().map(<[u8]>::to_vec)),
        load: |all, file| {
            all.adapter = Some(file.bytes.clone().into());
            Ok(())
        },
    },
    ArtifactFile {
        name: "whitening.json",
        serves: true,
        save: |all| json(all.whitening.as_deref()),
        load: |all, file| {
            let whitening: Whitening = file.json()?;
            if !whitening.is_sound() {
                return Err(file.damaged(&"its mean and factor do not fit each other"));
            }
            all.whitening = Some(Arc::new(whitening));
            Ok(())
        },
    },
    ArtifactFile {
        name: "blend.json",
        serves: true,
        save: |all| json(all.blend.as_ref()),
        load: |all, file| {
            all.blend = Some(file.json()?);
            Ok(())
        },
    },
    ArtifactFile {
        name: "network.safetensors",
        serves: true,
        save: |all| weights(all.sequence.as_deref()),
        load: |all, file| {
            all.sequence = file.sequence(SEQUENCE_ITEMS)?;
            Ok(())
        },
    },
    // Read together with the weights.
    ArtifactFile {
        name: SEQUENCE_ITEMS,
        serves: true,
        save: |all| items(all.sequence.as_deref()),
        load: |_, _| Ok(()),
    },
    ArtifactFile {
        name: "ranker.json",
        serves: true,
        save: |all| json(all.ranker.as_deref()),
        load: |all, file| {
            all.ranker = file.ranker()?;
            Ok(())
        },
    },
    ArtifactFile {
        name: "probabilities.json",
        serves: true,
        save: |all| json(all.probabilities.as_deref()),
        load: |all, file| {
            all.probabilities = Some(file.json()?);
            Ok(())
        },
    },
    ArtifactFile {
        name: "judged-network.safetensors",
        serves: false,
        save: |all| weights(all.judged_sequence.as_deref()),
        load: |all, file| {
            all.judged_sequence = file.sequence(JUDGED_SEQUENCE_ITEMS)?;
            Ok(())
        },
    },
    ArtifactFile {
        name: JUDGED_SEQUENCE_ITEMS,
        serves: false,
        save: |all| items(all.judged_sequence.as_deref()),
        load: |_, _| Ok(()),
    },
    ArtifactFile {
        name: "judged.json",
        serves: false,
        save: |all| json(all.judged_ranker.as_deref()),
        load: |all, file| {
            all.judged_ranker = file.ranker()?;
            Ok(())
        },
    },
];

/// Which artifacts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that lists need.
    Serving,
    /// Those that the gate compared.
    Judged,
}

impl Artifacts {
    /// Writes all files into a directory and makes them durable. Returns their bytes together.
    ///
    /// # Errors
    /// `internal` when the disk takes none.
    pub fn save(&self, dir: &Path) -> Answer<u64> {
        let mut total = 0;
        for artifact in &FILES {
            let Some(bytes) = (artifact.save)(self)? else { continue };
            let mut file = std::fs::File::create(dir.join(artifact.name)).map_err(|error| internal(&error))?;
            file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| internal(&error))?;
            total += bytes.len() as u64;
        }
        Ok(total)
    }

    /// Reads the files that are there.
    ///
    /// # Errors
    /// `internal` for a damaged file.
    pub fn load(dir: &Path, which: Which) -> Answer<Self> {
        let mut all = Self::default();
        for artifact in FILES.iter().filter(|file| file.serves == (which == Which::Serving)) {
            let path = dir.join(artifact.name);
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(damaged(&path, &error)),
            };
            (artifact.load)(&mut all, &File { dir, path: &path, bytes })?;
        }
        Ok(all.attached())
    }

    /// The same with each ranker beside its sequence model.
    #[must_use]
    pub fn attached(mut self) -> Self {
        let beside = |ranker: Option<Arc<Ranker>>, model: &Option<Arc<SequenceArtifact>>| {
            let model = model.clone().map(|model| model as Arc<dyn SequenceScorer>);
            ranker.map(|ranker| Arc::new(Arc::unwrap_or_clone(ranker).with_sequence(model)))
        };
        self.ranker = beside(self.ranker.take(), &self.sequence);
        self.judged_ranker = beside(self.judged_ranker.take(), &self.judged_sequence);
        self
    }
}

#[cfg(test)]
mod tests {
    use mercer_rank::Vectors;

    use super::*;

    #[test]
    fn nothing_is_read_from_an_empty_directory() {
        let dir = tempfile::tempdir().unwrap();
        let all = Artifacts::load(dir.path(), Which::Serving).unwrap();
        assert!(all.ranker.is_none() && all.whitening.is_none() && all.adapter.is_none());
        assert_eq!(Artifacts::default().save(dir.path()).unwrap(), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_ranker_of_another_program_version_is_left_out_and_a_damaged_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for (name, which) in [("ranker.json", Which::Serving), ("judged.json", Which::Judged)] {
            let path = dir.path().join(name);
            std::fs::write(&path, r#"{"features": ["something else"], "any": 7}"#).unwrap();
            let all = Artifacts::load(dir.path(), which).unwrap();
            assert!(all.ranker.is_none() && all.judged_ranker.is_none());
            std::fs::write(&path, "{").unwrap();
            assert_eq!(Artifacts::load(dir.path(), which).err().map(|problem| problem.code), Some(Code::Internal));
        }
    }

    #[test]
    fn what_was_saved_is_loaded_and_what_does_not_fit_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let mut vectors = Vectors::new(2);
        for n in 0..40 {
            vectors.set(n, [(n % 7) as f32, (n % 3) as f32].into()).unwrap();
        }
        let whitening = Arc::new(Whitening::fit(&vectors).unwrap());
        let made = Artifacts {
            adapter: Some(vec![1, 2, 3].into()),
            whitening: Some(Arc::clone(&whitening)),
            probabilities: Some(Arc::default()),
            ..Artifacts::default()
        };
        let bytes = made.save(dir.path()).unwrap();
        let on_disk: u64 =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(bytes, on_disk);
        let read = Artifacts::load(dir.path(), Which::Serving).unwrap();
        assert_eq!((&read.adapter, &read.whitening), (&made.adapter, &made.whitening));
        assert_eq!(read.probabilities, made.probabilities);
        std::fs::write(dir.path().join("whitening.json"), r#"{"items": 40, "mean": [0, 0], "factor": [1]}"#).unwrap();
        assert_eq!(Artifacts::load(dir.path(), Which::Serving).err().map(|p| p.code), Some(Code::Internal));
    }
}
