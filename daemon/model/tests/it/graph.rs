//! The graph agrees with candle-transformers' BERT, does not care about padding or company, and can be cut at any layer.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert;
use mercer_model::graph::{Batch, BertGraph};
use mercer_model::{BertEncoder, Encoder, HiddenAct, Pooling, TextKind};

use crate::fixture;

fn rows() -> Vec<Vec<u32>> {
    vec![vec![0, 5, 6, 2], vec![0, 8, 10, 32, 33, 34, 7, 11, 2], vec![0, 2]]
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn agrees_with_the_reference_implementation() {
    for (act, theirs) in [
        (HiddenAct::Gelu, bert::HiddenAct::Gelu),
        (HiddenAct::GeluTanh, bert::HiddenAct::GeluApproximate),
        (HiddenAct::Relu, bert::HiddenAct::Relu),
    ] {
        let mut config = fixture::config();
        config.hidden_act = act;
        let tensors = fixture::tensors(&config, 1);
        let reference = bert::Config {
            vocab_size: config.vocab_size,
            hidden_size: config.hidden_size,
            num_hidden_layers: config.num_hidden_layers,
            num_attention_heads: config.num_attention_heads,
            intermediate_size: config.intermediate_size,
            hidden_act: theirs,
            max_position_embeddings: config.max_position_embeddings,
            type_vocab_size: config.type_vocab_size,
            layer_norm_eps: config.layer_norm_eps,
            pad_token_id: 1,
            ..bert::Config::default()
        };
        let oracle =
            bert::BertModel::load(VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu), &reference)
                .unwrap();
        let graph = BertGraph::new(&config, &tensors, &Device::Cpu).unwrap();
        let batch = Batch::new(&rows(), 1, &Device::Cpu).unwrap();
        let ours = graph.lower(&batch, graph.depth()).unwrap();
        let types = batch.ids.zeros_like().unwrap();
        let theirs = oracle.forward(&batch.ids, &types, Some(&batch.mask)).unwrap();
        for (i, row) in rows().iter().enumerate() {
            let cut = |t: &Tensor| t.get(i).unwrap().narrow(0, 0, row.len()).unwrap();
            let d = largest_difference(&cut(&ours), &cut(&theirs));
            assert!(d < 1e-5, "{act:?}, row {i}: {d}");
        }
    }
}

#[test]
fn can_be_cut_at_any_layer() {
    let config = fixture::config();
    let graph = BertGraph::new(&config, &fixture::tensors(&config, 2), &Device::Cpu).unwrap();
    let batch = Batch::new(&rows(), 1, &Device::Cpu).unwrap();
    let whole = graph.lower(&batch, graph.depth()).unwrap();
    for cut in 0..=graph.depth() {
        let parts = graph.upper(graph.lower(&batch, cut).unwrap(), &batch, cut).unwrap();
        assert_eq!(largest_difference(&whole, &parts), 0.0, "cut {cut}");
    }
}

#[test]
fn a_text_has_the_same_vector_in_any_company() {
    for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Max] {
        let mut checkpoint = fixture::checkpoint(3);
        checkpoint.rules.pooling = pooling;
        let encoder = BertEncoder::new(checkpoint, &Device::Cpu).unwrap();
        let texts = ["red dress", "", "红色裙子", "a lamp a lamp a lamp a lamp a lamp", "RED DRESS"];
        let together = encoder.embed(&texts, TextKind::Passage).unwrap();
        assert_eq!((together.len(), together.dim), (5, 64));
        for (i, text) in texts.iter().enumerate() {
            let alone = encoder.embed(&[text], TextKind::Passage).unwrap();
            let cosine: f32 = alone.row(0).iter().zip(together.row(i)).map(|(a, b)| a * b).sum();
            assert!((cosine - 1.0).abs() < 1e-5, "{pooling:?} {text:?}: {cosine}");
        }
        assert_eq!(together.row(0), together.row(4), "lower-casing");
        let as_query = encoder.embed(&["red dress"], TextKind::Query).unwrap();
        assert_ne!(as_query.row(0), together.row(0), "the prefix matters");
    }
}

#[test]
fn the_engine_without_padding_agrees_with_the_graph() {
    for act in [HiddenAct::Gelu, HiddenAct::GeluTanh, HiddenAct::Relu] {
        for heads in [1, 2] {
            let mut checkpoint = fixture::checkpoint(4);
            checkpoint.config.hidden_act = act;
            checkpoint.config.num_attention_heads = heads;
            let graph = BertGraph::new(&checkpoint.config, &checkpoint.tensors, &Device::Cpu).unwrap();
            let encoder = BertEncoder::new(checkpoint, &Device::Cpu).unwrap();
            let texts = ["red dress", "", "红色裙子 a lamp", "a lamp for the red dress of a queen"];
            let ids = encoder.tokens().encode(&texts, TextKind::Passage).unwrap();
            let batch = Batch::new(&ids, 1, &Device::Cpu).unwrap();
            for cut in 0..=graph.depth() {
                let padded = graph.lower(&batch, cut).unwrap();
                let flat = encoder.lower_states(&texts, TextKind::Passage, cut).unwrap();
                for (i, states) in flat.iter().enumerate() {
                    let theirs = padded.get(i).unwrap().narrow(0, 0, ids[i].len()).unwrap();
                    let d = largest_difference(states, &theirs);
                    assert!(d < 1e-5, "{act:?}, {heads} heads, cut {cut}, text {i}: {d}");
                }
            }
        }
    }
}
