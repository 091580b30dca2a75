//! Reading the files of a version's directory.

use std::path::Path;
use std::sync::Arc;

use mercer_rank::{Ranker, Whitening};
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use serde::Deserialize;

use crate::state::problems::Answer;
use crate::state::sequence::artifact::SequenceArtifact;

pub(crate) fn read_network(dir: &Path, (weights, items): (&str, &str)) -> Answer<Option<Arc<SequenceArtifact>>> {
    let Some(ids) = read_json::<Vec<ItemId>>(&dir.join(items))? else { return Ok(None) };
    let path = dir.join(weights);
    let damaged = |why: &dyn std::fmt::Display| Problem::new(Code::Internal, format!("{}: {why}", path.display()));
    let bytes = std::fs::read(&path).map_err(|e| damaged(&e))?;
    SequenceArtifact::from_bytes(&bytes, ids.into(), &path)
        .map(|network| Some(Arc::new(network)))
        .map_err(|e| damaged(&e))
}

/// A ranker, unless it was trained on other features than this program's: its version serves the blend then, until it is refitted.
pub(crate) fn read_ranker(path: &Path) -> Answer<Option<Ranker>> {
    #[derive(Deserialize)]
    struct Trained {
        features: Vec<String>,
    }
    let Some(trained) = read_json::<Trained>(path)? else { return Ok(None) };
    if !mercer_rank::are_current_features(&trained.features) {
        tracing::warn!(path = %path.display(), "a ranker of another program version is left out; `mercer train` makes a new one");
        return Ok(None);
    }
    read_json(path)
}

pub(crate) fn read_whitening(path: &Path, dim: usize) -> Answer<Option<Arc<Whitening>>> {
    let Some(whitening) = read_json::<Whitening>(path)? else { return Ok(None) };
    if !whitening.is_sound() || whitening.dim() != dim {
        let detail = format!("{}: it is not for vectors of {dim} numbers", path.display());
        return Err(Problem::new(Code::Internal, detail));
    }
    Ok(Some(Arc::new(whitening)))
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Answer<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Problem::new(Code::Internal, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::new(Code::Internal, format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use mercer_rank::Vectors;

    use super::*;
    use crate::versions::layout::{RANKER, WHITENING};

    #[test]
    fn a_ranker_of_another_program_version_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(RANKER);
        assert!(read_ranker(&path).unwrap().is_none());
        std::fs::write(&path, r#"{"features": ["something else"], "any": 7}"#).unwrap();
        assert!(read_ranker(&path).unwrap().is_none());
        std::fs::write(&path, "{").unwrap();
        assert_eq!(read_ranker(&path).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn a_whitening_for_other_vectors_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(WHITENING);
        assert!(read_whitening(&path, 2).unwrap().is_none());
        let mut vectors = Vectors::new(2);
        for n in 0..40 {
            vectors.set(n, [(n % 7) as f32, (n % 3) as f32].into()).unwrap();
        }
        let whitening = Whitening::fit(&vectors).unwrap();
        std::fs::write(&path, serde_json::to_vec(&whitening).unwrap()).unwrap();
        assert_eq!(read_whitening(&path, 2).unwrap().as_deref(), Some(&whitening));
        assert_eq!(read_whitening(&path, 3).unwrap_err().code, Code::Internal);
        std::fs::write(&path, r#"{"items": 40, "mean": [0, 0], "factor": [1]}"#).unwrap();
        assert_eq!(read_whitening(&path, 2).unwrap_err().code, Code::Internal);
    }
}
