//! Measures whether a cross-encoder's margins help the encoder as a teacher (margin-MSE): tunes the encoder for the same steps without and with
//! them and judges both on later rows: `cargo run --release -p mercer-learn --example distil -- ITEMS TRAIN CUT TEACHER_SECONDS STEPS POSITIVES`, arguments as in
//! the example `cross_encoder`.
#![allow(clippy::print_stdout, reason = "what it measures it prints")]

mod log;

use candle_core::Device;
use log::{Fallible, Log, Processor, auc, millis, pairs, read};
use mercer_learn::cross_encoder::examples::{
    ExampleOptions, HistoryEntry, NegativeSource, PairExample, TimeWindow, pair_examples,
};
use mercer_learn::cross_encoder::{
    CrossEncoder, CrossEncoderOptions, Join, LabelledPair, LabelledPairs, PairTemplate, train,
};
use mercer_learn::{
    Anchor, BaseEncoder, ContrastivePair, KnownPositives, Teacher, TeacherMargin, TextId, TextTable, TrainingSet,
    TunableEncoder, TuneOptions, tune,
};
use mercer_model::{Checkpoint, TextKind};

/// Items of a history in an anchor, as in the encoder's own training.
const RECENT: usize = 4;

/// Texts of a row's latest items.
fn anchor(row: &PairExample, item_texts: &[TextId]) -> Vec<TextId> {
    let items = row.history.iter().filter_map(|entry| match entry {
        HistoryEntry::Item(item) => item_texts.get(*item as usize).copied(),
        HistoryEntry::Query(_) => None,
    });
    items.take(RECENT).collect()
}

/// AUC of the cosine of history and item.
fn judged(base: BaseEncoder<'_>, texts: &TextTable, item_texts: &[TextId], later: &[PairExample]) -> Fallible<f64> {
    let encoder = TunableEncoder::frozen(base, 0, &Device::Cpu)?;
    let mut ids: Vec<TextId> = later
        .iter()
        .flat_map(|row| anchor(row, item_texts).into_iter().chain([item_texts[row.item as usize]]))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let vectors = encoder.embed(texts, &ids)?.to_vec2::<f32>()?;
    let of = |id: &TextId| &vectors[ids.binary_search(id).unwrap_or_default()];
    let scored = later.iter().map(|row| {
        let mine = anchor(row, item_texts);
        let mean: Vec<f32> = (0..vectors[0].len()).map(|d| mine.iter().map(|id| of(id)[d]).sum::<f32>()).collect();
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        let item = of(&item_texts[row.item as usize]);
        (mean.iter().zip(item).map(|(a, b)| a * b).sum::<f32>() / length, row.label)
    });
    Ok(auc(scored))
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [items, log, cut, seconds, steps, most] = &args[..] else { return Err("see the head of the file".into()) };
    let Log { titles, events } = read(items, log)?;
    let cut = millis(cut).ok_or("CUT is no moment")?;
    let options = ExampleOptions { most: most.parse()?, ..ExampleOptions::default() };
    let learned =
        pair_examples(&events, NegativeSource::Sampled, TimeWindow { after_ms: i64::MIN, until_ms: cut }, &options);
    let later = TimeWindow { after_ms: cut, until_ms: i64::MAX };
    let later = pair_examples(&events, NegativeSource::Sampled, later, &ExampleOptions { most: 400, ..options });
    let checkpoint: Checkpoint = mercer_model::embedded::load()?;
    let tokens = checkpoint.tokens()?;
    let base =
        BaseEncoder { config: &checkpoint.config, pooling: checkpoint.rules.pooling, tensors: &checkpoint.tensors };
    let encoded = tokens.encode(&titles, TextKind::Passage)?;

    let form = PairTemplate::read(&tokens, Join::Upper, CrossEncoderOptions::default().max_tokens)?;
    let bodies: Vec<Vec<u32>> = encoded.iter().map(|row| form.body(row, TextKind::Passage).to_vec()).collect();
    let mut texts = TextTable::new();
    let labelled: Vec<LabelledPair> = pairs(&learned, &form, &bodies, &mut texts);
    let set = LabelledPairs { texts: &texts, pairs: &labelled };
    let options = CrossEncoderOptions { wall_seconds: Some(seconds.parse()?), ..CrossEncoderOptions::default() };
    let teacher = train(base, set, &options, &Device::Cpu, &mut Processor)?;
    let scores = CrossEncoder::new(base, &teacher.learned, &Device::Cpu)?.score(set, || true)?;
    println!("teacher: {} of {} steps", teacher.steps, teacher.total_steps);

    let mut texts = TextTable::new();
    let item_texts: Vec<TextId> = encoded.iter().map(|row| texts.push(row)).collect();
    let (mut all, mut margins) = (Vec::new(), Vec::new());
    for (place, row) in learned.iter().enumerate().filter(|(_, row)| row.label) {
        // The negatives of a positive follow it.
        let Some(negative) = learned.get(place + 1).filter(|next| !next.label) else { continue };
        let mine = anchor(row, &item_texts);
        if mine.is_empty() {
            continue;
        }
        let group = u64::from(row.user);
        let positive = item_texts[row.item as usize];
        all.push(ContrastivePair {
            anchor: Anchor::Mean(mine),
            positive,
            item: row.item,
            group,
            weight: 1.0,
            hard_negative: None,
        });
        let margin = scores[place] - scores[place + 1];
        margins.push(Some(TeacherMargin { text: item_texts[negative.item as usize], margin }));
    }
    let known = KnownPositives::from_pairs(&all);
    let set = TrainingSet { texts: &texts, pairs: &all, known: &known, teacher: None };
    let options = TuneOptions { epochs: 1e3, max_steps: Some(steps.parse()?), ..TuneOptions::default() };
    println!("untuned: AUC {:.4} on {} later rows", judged(base, &texts, &item_texts, &later)?, later.len());
    for weight in [0.0, 0.1, 1.0] {
        let teacher = Teacher { margins: &margins, scale: 20.0, weight };
        let teacher = (weight > 0.0).then_some(teacher);
        let tuned = tune(base, TrainingSet { teacher, ..set }, None, &options, &Device::Cpu, &mut ())?;
        let mut tensors = (*checkpoint.tensors).clone();
        tensors.extend(tuned.learned.changed(&checkpoint.tensors)?);
        let found = judged(BaseEncoder { tensors: &tensors, ..base }, &texts, &item_texts, &later)?;
        println!("weight {weight}: AUC {found:.4} after {} steps on {} pairs", tuned.steps, all.len());
    }
    Ok(())
}
