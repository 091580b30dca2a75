//! The stored form of a sequence model: safetensors with weights, item vectors and popularity; sizes and options in the header. The catalogue's
//! text vectors are not needed to load it, because the item vectors contain them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::graph::{Dims, EXTRA, Graph, TensorSpec};
use super::input_norm::InputNorm;
use super::model::{ItemTable, ModelParts, SequenceModel};
use super::options::SequenceOptions;
use super::popularity::{HORIZONS, Popularity, PopularityState};
use crate::error::{LearnError, Result};
use crate::files::write_atomic;

const FORMAT: u32 = 2;
/// Key of the header in stored files; an older name of the sequence model.
const HEADER: &str = "mercer.behaviour";

/// Contents of the header.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    options: SequenceOptions,
    dims: Dims,
    until: i64,
    scale: f32,
    borders: Vec<f32>,
    popularity_base: [i64; HORIZONS],
    popularity_totals: [f64; HORIZONS],
    #[serde(default)]
    knows_queries: bool,
}

impl SequenceModel {
    /// Serializes the model with its item vectors. The same model gives the same bytes.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let ModelParts { options, graph, norm, popularity, until } = &self.parts;
        let PopularityState { base, totals, counts } = popularity.state();
        let header = Header {
            format: FORMAT,
            options: options.clone(),
            dims: graph.dims,
            until: *until,
            scale: norm.scale,
            borders: norm.borders.clone(),
            popularity_base: base,
            popularity_totals: totals,
            knows_queries: norm.knows_queries,
        };
        let json = serde_json::to_string(&header).map_err(candle_core::Error::wrap)?;
        let mut tensors: BTreeMap<String, Tensor> = graph.weights.clone();
        let cpu = &Device::Cpu;
        tensors.insert("frame.mean".to_owned(), Tensor::from_slice(&norm.mean, norm.mean.len(), cpu)?);
        let rows = counts.len() / HORIZONS;
        tensors.insert("popularity".to_owned(), Tensor::from_vec(counts, (rows, HORIZONS), cpu)?);
        tensors.insert("table".to_owned(), self.table.clone());
        tensors.insert("bands".to_owned(), Tensor::from_slice(&self.bands, self.bands.len(), cpu)?);
        let meta = HashMap::from([(HEADER.to_owned(), json)]);
        Ok(safetensors::serialize(tensors, Some(meta)).map_err(candle_core::Error::wrap)?)
    }

    /// Reads what [`SequenceModel::to_bytes`] wrote. `path` appears in errors only.
    ///
    /// # Errors
    /// [`LearnError::Broken`] when the bytes are no such model.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let fail = |why: String| LearnError::Broken { path: path.to_owned(), why };
        let (_, meta) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| fail(e.to_string()))?;
        let text = meta.metadata().as_ref().and_then(|m| m.get(HEADER));
        let text = text.ok_or_else(|| fail("holds no sequence model".to_owned()))?;
        let header: Header = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        if header.format != FORMAT {
            return Err(fail(format!("format {}, this version reads {FORMAT}", header.format)));
        }
        header.options.check()?;
        let mut all = candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| fail(e.to_string()))?;
        let mut weights = BTreeMap::new();
        let mut take = |name: &str, shape: Option<&[usize]>| {
            let t = all.remove(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
            match shape {
                Some(s) if t.dims() != s => Err(LearnError::TensorShape {
                    name: name.to_owned(),
                    expected: s.to_vec(),
                    found: t.dims().to_vec(),
                }),
                _ => Ok(t),
            }
        };
        for TensorSpec { name, shape, .. } in header.dims.tensors() {
            let t = take(&name, Some(&shape))?;
            weights.insert(name, t);
        }
        let mean = take("frame.mean", Some(&[header.dims.text]))?.to_vec1()?;
        let counts = take("popularity", None)?.flatten_all()?.to_vec1()?;
        let bands: Vec<u8> = take("bands", None)?.to_vec1()?;
        let vectors = take("table", Some(&[bands.len(), header.dims.width + EXTRA]))?;
        let state = PopularityState { base: header.popularity_base, totals: header.popularity_totals, counts };
        let parts = ModelParts {
            popularity: Popularity::restore(header.options.half_lives, &state),
            norm: InputNorm { mean, scale: header.scale, borders: header.borders, knows_queries: header.knows_queries },
            graph: Arc::new(Graph { dims: header.dims, weights }),
            options: header.options,
            until: header.until,
        };
        Self::with_table(parts, ItemTable { vectors, bands })
    }

    /// Writes the model atomically: a reader sees the whole file or none.
    ///
    /// # Errors
    /// [`LearnError::Io`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file that [`SequenceModel::save`] wrote.
    ///
    /// # Errors
    /// [`LearnError::Io`], and as [`SequenceModel::from_bytes`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&std::fs::read(path).map_err(LearnError::io(path))?, path)
    }
}
