//! A network as bytes: safetensors with the weights, the rows of its items, the popularity and, in the header, what is needed to read
//! them. The catalogue's vectors are not needed again: what they say stands in the rows.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::graph::{Dims, EXTRA, Graph};
use super::network::Network;
use super::options::BehaviourOptions;
use super::popularity::{HORIZONS, Popularity};
use crate::error::{LearnError, Result};
use crate::files::write_atomic;

const FORMAT: u32 = 2;
const HEADER: &str = "mercer.behaviour";

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    options: BehaviourOptions,
    dims: Dims,
    until: i64,
    scale: f32,
    borders: Vec<f32>,
    popularity_base: [i64; HORIZONS],
    popularity_totals: [f64; HORIZONS],
    #[serde(default)]
    knows_queries: bool,
}

impl Network {
    /// The network with the rows of its items. The same network gives the same bytes.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (base, totals, counts) = self.popularity.state();
        let header = Header {
            format: FORMAT,
            options: self.options.clone(),
            dims: self.graph.dims,
            until: self.until(),
            scale: self.frame.scale,
            borders: self.frame.borders.clone(),
            popularity_base: base,
            popularity_totals: totals,
            knows_queries: self.frame.knows_queries,
        };
        let json = serde_json::to_string(&header).map_err(candle_core::Error::wrap)?;
        let mut tensors: BTreeMap<String, Tensor> = self.graph.weights.clone();
        let cpu = &Device::Cpu;
        tensors.insert("frame.mean".to_owned(), Tensor::from_slice(&self.frame.mean, self.frame.mean.len(), cpu)?);
        let rows = counts.len() / HORIZONS;
        tensors.insert("popularity".to_owned(), Tensor::from_vec(counts, (rows, HORIZONS), cpu)?);
        tensors.insert("table".to_owned(), self.table.clone());
        tensors.insert("bands".to_owned(), Tensor::from_slice(&self.bands, self.bands.len(), cpu)?);
        let meta = HashMap::from([(HEADER.to_owned(), json)]);
        Ok(safetensors::serialize(tensors, Some(meta)).map_err(candle_core::Error::wrap)?)
    }

    /// Reads what [`Network::to_bytes`] wrote. `path` is for the error only.
    ///
    /// # Errors
    /// [`LearnError::Broken`] when the bytes are not such a network.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let fail = |why: String| LearnError::Broken { path: path.to_owned(), why };
        let (_, meta) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| fail(e.to_string()))?;
        let text = meta.metadata().as_ref().and_then(|m| m.get(HEADER));
        let text = text.ok_or_else(|| fail("holds no behaviour network".to_owned()))?;
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
        for (name, shape, _) in header.dims.tensors() {
            let t = take(&name, Some(&shape))?;
            weights.insert(name, t);
        }
        let mean = take("frame.mean", Some(&[header.dims.text]))?.to_vec1()?;
        let counts = take("popularity", None)?.flatten_all()?.to_vec1()?;
        let bands: Vec<u8> = take("bands", None)?.to_vec1()?;
        let table = take("table", Some(&[bands.len(), header.dims.width + EXTRA]))?;
        let (base, totals) = (header.popularity_base, header.popularity_totals);
        let popularity = Popularity::restore(header.options.half_lives, base, totals, &counts);
        let frame = Frame { mean, scale: header.scale, borders: header.borders, knows_queries: header.knows_queries };
        let graph = Arc::new(Graph { dims: header.dims, weights });
        Self::of_table(header.options, graph, frame, popularity, header.until, (table, bands))
    }

    /// Writes the network to a file that is whole or not there.
    ///
    /// # Errors
    /// [`LearnError::Io`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file that [`Network::save`] wrote.
    ///
    /// # Errors
    /// [`LearnError::Io`], and as [`Network::from_bytes`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&std::fs::read(path).map_err(LearnError::io(path))?, path)
    }
}
