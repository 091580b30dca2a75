//! Fine-tuning with a teacher.

use super::*;
use crate::texts::TextId;

#[test]
fn a_teachers_margins_are_learned_and_belong_to_the_run() {
    let (tiny, planted) = (Tiny::new(2, 32), Planted::new(6));
    // The teacher puts each positive far above the item of the concept across.
    let across = |p: &ContrastivePair| (p.item as usize + CONCEPTS / 2) % planted.items.len();
    let margin = |p: &ContrastivePair| Some(TeacherMargin { text: planted.items[across(p)], margin: 6.0 });
    let margins: Vec<Option<TeacherMargin>> = planted.pairs.iter().map(margin).collect();
    let teacher = Teacher { margins: &margins, scale: 10.0, weight: 1.0 };
    let options = TuneOptions {
        method: Method::Lora(LoraOptions { targets: Targets::AllLinear, ..LoraOptions::default() }),
        upper_layers: 2,
        adam: crate::optim::AdamOptions { learning_rate: 5e-3, ..Default::default() },
        pull: 0.0,
        batch_pairs: 16,
        ..quick(60)
    };
    let taught = |teacher: Option<Teacher<'_>>, options: &TuneOptions| {
        tune(tiny.base(), TrainingSet { teacher, ..planted.set() }, None, options, &CPU, &mut ())
    };
    let error = |o: &TuneOutcome| {
        let mut weights = tiny.tensors.clone();
        weights.extend(o.learned.changed(&tiny.tensors).unwrap());
        let base = BaseEncoder { tensors: &weights, ..tiny.base() };
        let encoder = TunableEncoder::new(base, &Method::Full, 0, 0, None, &CPU).unwrap();
        let of = |ids: Vec<TextId>| encoder.embed(&planted.texts, &ids).unwrap();
        let anchors = of(planted.pairs.iter().map(|p| p.anchor.texts()[0]).collect());
        let positives = of(planted.pairs.iter().map(|p| p.positive).collect());
        let negatives = of(margins.iter().flatten().map(|m| m.text).collect());
        let wanted: Vec<f32> = margins.iter().flatten().map(|m| m.margin).collect();
        crate::losses::margin_mse(&anchors, &positives, &negatives, &wanted, 10.0).unwrap().to_scalar::<f32>().unwrap()
    };
    let without = taught(None, &options).unwrap();
    let with = taught(Some(teacher), &options).unwrap();
    let (start, alone, after) = (
        error(&taught(None, &TuneOptions { max_steps: Some(0), ..options.clone() }).unwrap()),
        error(&without),
        error(&with),
    );
    assert!(after < 0.5 * start && after < alone, "{start} at the start, {alone} without teacher, {after} with");
    // A weight of nothing teaches nothing; margins that do not fit are refused; another teacher is another run.
    let mute = taught(Some(Teacher { weight: 0.0, ..teacher }), &TuneOptions { max_steps: Some(3), ..options.clone() });
    let plain = taught(None, &TuneOptions { max_steps: Some(3), ..options.clone() }).unwrap();
    for (a, b) in mute.unwrap().losses.iter().zip(&plain.losses) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
    let short = Teacher { margins: &margins[1..], ..teacher };
    assert!(taught(Some(short), &options).unwrap_err().to_string().contains("margins"));
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Some(CheckpointOptions { dir: dir.path().to_owned(), every: 1, keep: 1 });
    let options = TuneOptions { checkpoint, max_steps: Some(1), ..options };
    taught(Some(teacher), &options).unwrap();
    assert!(matches!(taught(None, &options), Err(LearnError::Foreign { what: "texts or pairs", .. })));
}
