//! The embedded encoder: small enough, licensed, reads English and Chinese.

use candle_core::Device;
use mercer_model::{BertEncoder, Encoder, TextKind, embedded};

#[test]
fn the_embedded_encoder_reads_english_and_chinese() {
    assert!(embedded::BYTES.len() <= 24_000_000, "{} bytes", embedded::BYTES.len());
    let checkpoint = embedded::load().unwrap();
    assert_eq!(
        (checkpoint.identity.name.as_str(), checkpoint.identity.licence.as_str()),
        ("multilingual-e5-small", "MIT")
    );
    let encoder = BertEncoder::new(checkpoint, &Device::Cpu).unwrap();
    let passages =
        ["RED EVENING DRESS, silk", "Stainless steel garlic press", "红色连衣裙 女 夏季", "不锈钢保温杯 500ml"];
    let passages = encoder.embed(&passages, TextKind::Passage).unwrap();
    for (query, best) in [("gown for a party", 0), ("kitchen tool for garlic", 1), ("女士红裙子", 2), ("水杯", 3)]
    {
        let vector = encoder.embed(&[query], TextKind::Query).unwrap();
        let scores: Vec<f32> = passages.rows().map(|p| p.iter().zip(vector.row(0)).map(|(a, b)| a * b).sum()).collect();
        let top = (0..4).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        assert_eq!(top, best, "{query}: {scores:?}");
        let length: f32 = vector.row(0).iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
}
