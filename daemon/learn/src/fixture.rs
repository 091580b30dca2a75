//! Shared test fixtures: a tiny random BERT, and a synthetic language in which queries and items use different words for the same thing.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use mercer_model::{BertConfig, HiddenAct, ModelType, Pooling};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::contrastive_pairs::{Anchor, ContrastivePair, KnownPositives};
use crate::graph::BaseEncoder;
use crate::texts::{TextId, TextTable};
use crate::tune::TrainingSet;

/// A checkpoint with random weights.
pub(crate) struct Tiny {
    pub(crate) config: BertConfig,
    pub(crate) tensors: HashMap<String, Tensor>,
}

impl Tiny {
    /// 2 layers, 32 wide, unless told otherwise.
    pub(crate) fn new(layers: usize, hidden: usize) -> Self {
        let config = BertConfig {
            model_type: ModelType::Bert,
            vocab_size: 120,
            hidden_size: hidden,
            num_hidden_layers: layers,
            num_attention_heads: 4,
            intermediate_size: 2 * hidden,
            hidden_act: HiddenAct::Gelu,
            max_position_embeddings: 40,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            pad_token_id: 0,
            position_embedding_type: "absolute".to_owned(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut tensors = HashMap::new();
        for (name, shape) in config.tensor_shapes() {
            let norm = name.contains("LayerNorm.weight");
            let spread = if name.contains("embeddings") { 1.0 } else { 0.25f32 };
            let values: Vec<f32> = (0..shape.iter().product::<usize>())
                .map(|_| rng.random_range(-spread..spread) + if norm { 1.0 } else { 0.0 })
                .collect();
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        }
        Self { config, tensors }
    }

    pub(crate) fn base(&self) -> BaseEncoder<'_> {
        BaseEncoder { config: &self.config, pooling: Pooling::Mean, tensors: &self.tensors }
    }
}

/// Queries and items about `CONCEPTS` things; a query and an item share no word, and held-out texts have filler words never trained on.
pub(crate) struct Planted {
    pub(crate) texts: TextTable,
    pub(crate) pairs: Vec<ContrastivePair>,
    pub(crate) known: KnownPositives,
    /// Query and concept, never seen in training.
    pub(crate) queries: Vec<(TextId, usize)>,
    /// Item text of each concept, never seen in training.
    pub(crate) items: Vec<TextId>,
}

pub(crate) const CONCEPTS: usize = 16;

impl Planted {
    pub(crate) fn new(per_concept: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut filler = move |range: std::ops::Range<u32>| rng.random_range(range);
        let (seen, fresh) = (60..100u32, 100..119u32);
        let mut texts = TextTable::new();
        let query = |c: usize| 4 + c as u32;
        let item = |c: usize| 30 + c as u32;
        let mut pairs = Vec::new();
        for n in 0..per_concept {
            for c in 0..CONCEPTS {
                let anchor = texts.push(&[1, query(c), filler(seen.clone()), 2]);
                let positive = texts.push(&[1, filler(seen.clone()), item(c), 2]);
                pairs.push(ContrastivePair {
                    anchor: Anchor::Text(anchor),
                    positive,
                    item: n * CONCEPTS as u32 + c as u32,
                    group: c as u64,
                    weight: 1.0,
                    hard_negative: None,
                });
            }
        }
        let queries = (0..3 * CONCEPTS)
            .map(|i| (texts.push(&[1, query(i % CONCEPTS), filler(fresh.clone()), 2]), i % CONCEPTS))
            .collect();
        let items = (0..CONCEPTS).map(|c| texts.push(&[1, filler(fresh.clone()), item(c), 2])).collect();
        let known = KnownPositives::from_pairs(&pairs);
        Self { texts, pairs, known, queries, items }
    }

    pub(crate) fn set(&self) -> TrainingSet<'_> {
        TrainingSet { texts: &self.texts, pairs: &self.pairs, known: &self.known, teacher: None }
    }
}

pub(crate) fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}
