//! The graph against candle-transformers' BERT, against finite differences, and adapters against their merged weights.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert;
use mercer_model::{ModelType, Pooling};

use crate::adalora::AdaLoraOptions;
use crate::error::LearnError;
use crate::fixture::{Planted, Tiny, values};
use crate::graph::{BaseEncoder, Method, TunableEncoder};
use crate::lora::{Adapter, LoraOptions, LowRankPair, Targets};
use crate::texts::TextTable;
use crate::tune::{TuneOptions, tune};

const CPU: Device = Device::Cpu;

fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn agrees_with_candle_transformers() {
    let tiny = Tiny::new(3, 32);
    let c = &tiny.config;
    let config = bert::Config {
        vocab_size: c.vocab_size,
        hidden_size: c.hidden_size,
        num_hidden_layers: c.num_hidden_layers,
        num_attention_heads: c.num_attention_heads,
        intermediate_size: c.intermediate_size,
        hidden_act: bert::HiddenAct::Gelu,
        max_position_embeddings: c.max_position_embeddings,
        type_vocab_size: c.type_vocab_size,
        layer_norm_eps: c.layer_norm_eps,
        ..bert::Config::default()
    };
    let oracle =
        bert::BertModel::load(VarBuilder::from_tensors(tiny.tensors.clone(), DType::F32, &CPU), &config).unwrap();
    let mut texts = TextTable::new();
    let rows: [&[u32]; 3] = [&[1, 7, 9, 30, 2], &[1, 2], &[1, 50, 51, 52, 53, 54, 55, 2]];
    let ids: Vec<u32> = rows.iter().map(|r| texts.push(r)).collect();
    for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Max] {
        let base = BaseEncoder { pooling, ..tiny.base() };
        let ours = TunableEncoder::new(base, &Method::Lora(LoraOptions::default()), 2, 1, None, &CPU)
            .unwrap()
            .embed(&texts, &ids)
            .unwrap();
        for (i, row) in rows.iter().enumerate() {
            let input = Tensor::new(*row, &CPU).unwrap().unsqueeze(0).unwrap();
            let states = oracle.forward(&input, &input.zeros_like().unwrap(), None).unwrap().squeeze(0).unwrap();
            let v = match pooling {
                Pooling::Mean => states.mean(0).unwrap(),
                Pooling::Cls => states.get(0).unwrap(),
                Pooling::Max => states.max(0).unwrap(),
            };
            let v = values(&v);
            let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
            let v: Vec<f32> = v.iter().map(|x| x / length).collect();
            let gap = gap(&v, &values(&ours.get(i).unwrap()));
            assert!(gap < 1e-5, "{pooling:?} {i}: {gap}");
        }
    }
}

#[test]
fn roberta_positions_are_offset() {
    let mut tiny = Tiny::new(1, 32);
    let mut texts = TextTable::new();
    let id = texts.push(&[1, 7, 9, 2]);
    let embed = |t: &Tiny| {
        values(&TunableEncoder::new(t.base(), &Method::Full, 0, 1, None, &CPU).unwrap().embed(&texts, &[id]).unwrap())
    };
    let plain = embed(&tiny);
    tiny.config.model_type = ModelType::XlmRoberta;
    tiny.config.pad_token_id = 1;
    assert!(gap(&plain, &embed(&tiny)) > 1e-3);
    let name = "embeddings.position_embeddings.weight";
    let rows = tiny.tensors[name].clone();
    let moved = Tensor::cat(&[rows.narrow(0, 0, 2).unwrap(), rows.narrow(0, 0, 38).unwrap()], 0).unwrap();
    tiny.tensors.insert(name.to_owned(), moved);
    assert_eq!(plain, embed(&tiny));
}

#[test]
fn gradients_of_the_whole_graph_agree_with_finite_differences() {
    let tiny = Tiny::new(2, 16);
    let mut texts = TextTable::new();
    let ids = [texts.push(&[1, 7, 9, 30, 2]), texts.push(&[1, 5, 2])];
    let lora = LoraOptions { rank: 2, targets: Targets::AllLinear, ..LoraOptions::default() };
    let ada = AdaLoraOptions { lora: lora.clone(), initial: 3, ..AdaLoraOptions::default() };
    for method in [Method::Lora(lora), Method::AdaLora(ada), Method::Full] {
        let encoder = TunableEncoder::new(tiny.base(), &method, 2, 1, None, &CPU).unwrap();
        // B and the weights of ranks leave zero, otherwise A has no gradient to compare.
        for (name, var) in encoder.vars() {
            if name.contains("lora_B") || name.contains("lora_E") {
                let waves = (0..var.elem_count()).map(|i| 0.2 * (i as f32 * 0.9 + 0.3).sin()).collect::<Vec<_>>();
                var.set(&Tensor::from_vec(waves, var.shape(), &CPU).unwrap()).unwrap();
            }
        }
        let lower = encoder.lower(&texts, &ids, || ()).unwrap();
        let weight =
            Tensor::from_vec((0..32).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>(), (2, 16), &CPU).unwrap();
        let loss =
            || (encoder.vectors(&lower.states, &lower.spans, None).unwrap() * &weight).unwrap().sum_all().unwrap();
        let grads = loss().backward().unwrap();
        for (name, var) in encoder.vars() {
            let exact = values(grads.get(var).unwrap());
            let before = values(var);
            let at = exact.len() / 2;
            let moved = |by: f32| {
                let mut v = before.clone();
                v[at] += by;
                var.set(&Tensor::from_vec(v, var.shape(), &CPU).unwrap()).unwrap();
                loss().to_scalar::<f32>().unwrap()
            };
            let step = 5e-3;
            let numeric = (moved(step) - moved(-step)) / (2.0 * step);
            var.set(&Tensor::from_vec(before.clone(), var.shape(), &CPU).unwrap()).unwrap();
            assert!((numeric - exact[at]).abs() < 4e-3 * (1.0 + numeric.abs()), "{name}: {} and {numeric}", exact[at]);
        }
    }
}

fn tuned() -> (Tiny, Planted, Adapter) {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(4));
    let lora = LoraOptions { targets: Targets::AllLinear, ..LoraOptions::default() };
    let adam = crate::optim::AdamOptions { learning_rate: 1e-2, ..Default::default() };
    let options = TuneOptions {
        method: Method::Lora(lora),
        adam,
        batch_pairs: 16,
        max_steps: Some(30),
        epochs: 100.0,
        ..TuneOptions::default()
    };
    let o = tune(tiny.base(), planted.set(), None, &options, &CPU, &mut ()).unwrap();
    (tiny, planted, o.learned)
}

#[test]
fn merged_weights_score_like_the_adapter() {
    let (tiny, planted, adapter) = tuned();
    let method = Method::Lora(LoraOptions { targets: Targets::AllLinear, ..LoraOptions::default() });
    let apart = TunableEncoder::new(tiny.base(), &method, 2, 1, Some(&adapter), &CPU).unwrap();
    let mut merged = tiny.tensors.clone();
    merged.extend(adapter.changed(&tiny.tensors).unwrap());
    let whole =
        TunableEncoder::new(BaseEncoder { tensors: &merged, ..tiny.base() }, &Method::Full, 0, 1, None, &CPU).unwrap();
    let plain = TunableEncoder::new(tiny.base(), &Method::Full, 0, 1, None, &CPU).unwrap();
    let scores = |e: &TunableEncoder| {
        let queries: Vec<u32> = planted.queries.iter().map(|q| q.0).collect();
        let q = e.embed(&planted.texts, &queries).unwrap();
        values(&q.matmul(&e.embed(&planted.texts, &planted.items).unwrap().t().unwrap()).unwrap())
    };
    assert!(gap(&scores(&apart), &scores(&plain)) > 0.05, "the adapter does something");
    let difference = gap(&scores(&apart), &scores(&whole));
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn adapters_start_at_the_base() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(1));
    let plain = TunableEncoder::new(tiny.base(), &Method::Full, 0, 1, None, &CPU).unwrap();
    let embed = |e: &TunableEncoder| values(&e.embed(&planted.texts, &planted.items).unwrap());
    for method in [Method::Lora(LoraOptions::default()), Method::AdaLora(AdaLoraOptions::default())] {
        let adapted = TunableEncoder::new(tiny.base(), &method, 2, 1, None, &CPU).unwrap();
        assert_eq!(embed(&adapted), embed(&plain));
    }
}

#[test]
fn adapter_files_are_repeatable_and_checked() {
    let (tiny, _, adapter) = tuned();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter.safetensors");
    adapter.save(&path).unwrap();
    let back = Adapter::load(&path, &CPU).unwrap();
    assert_eq!(back.meta, adapter.meta);
    assert_eq!(back.to_bytes().unwrap(), adapter.to_bytes().unwrap());
    let bytes = adapter.to_bytes().unwrap();
    for cut in [0, 7, 100, bytes.len() - 1] {
        let error = Adapter::from_bytes(&bytes[..cut], &path, &CPU).unwrap_err();
        assert!(matches!(error, LearnError::Broken { .. }), "{cut}: {error}");
    }
    let mut nan = adapter.clone();
    let LowRankPair { a, b } = nan.pairs.values().next().unwrap().clone();
    let broken = LowRankPair { a: (a * f64::NAN).unwrap(), b };
    nan.pairs.insert("encoder.layer.0.output.dense".to_owned(), broken);
    let error = Adapter::from_bytes(&nan.to_bytes().unwrap(), &path, &CPU).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
    let plain = safetensors::serialize([("x", &tiny.tensors["embeddings.LayerNorm.bias"])], None).unwrap();
    assert!(Adapter::from_bytes(&plain, &path, &CPU).unwrap_err().to_string().contains("metadata"));
    let narrow = Tiny::new(2, 16);
    assert!(matches!(adapter.changed(&narrow.tensors), Err(LearnError::TensorShape { .. })));
    assert!(matches!(Adapter::load(&dir.path().join("none"), &CPU), Err(LearnError::Io { .. })));
}
