//! The record of a run: its settings by name, the data it read, its curves. The table of settings is also what a sweep can
//! change: a new setting is a row.

use mercer_learn::{PrivateOptions, TuneOptions};
use mercer_model::Checkpoint;
use mercer_rank::{Log, RankerTrainOptions, RankerTrainReport};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, LossPoint, RunRecord, Setting};
use serde_json::Value;

use crate::reports::window_lists::outlier_note;
use crate::runs::context::RunContext;
use crate::runs::plan::Plan;

/// A value that a setting may have, as a number.
trait Figure: Copy {
    fn out(self) -> f64;
    fn back(value: f64) -> Self;
}

macro_rules! figures {
    ($($type:ty),*) => { $(impl Figure for $type {
        fn out(self) -> f64 {
            // Through the shortest decimal form, so that 0.002 stays 0.002.
            self.to_string().parse().unwrap_or(self as f64)
        }
        fn back(value: f64) -> Self {
            value as $type
        }
    })* };
}

figures!(f32, f64, usize, i64, u64);

impl Figure for bool {
    fn out(self) -> f64 {
        f64::from(u8::from(self))
    }
    fn back(value: f64) -> Self {
        value != 0.0
    }
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Number,
    Flag,
}

/// A setting of the collaborative index or the ranker.
struct Row {
    name: &'static str,
    kind: Kind,
    /// Smallest and largest value that makes sense.
    range: (f64, f64),
    get: fn(&RankerTrainOptions) -> f64,
    set: fn(&mut RankerTrainOptions, f64),
}

macro_rules! rows {
    ($($name:literal $kind:ident $low:literal..$high:literal $($field:ident).+;)*) => {
        &[$(Row {
            name: $name,
            kind: Kind::$kind,
            range: ($low, $high),
            get: |o| o.$($field).+.out(),
            set: |o, value| o.$($field).+ = Figure::back(value),
        },)*]
    };
}

/// The settings of the collaborative index and the ranker, by name.
const ROWS: &[Row] = rows! {
    "memory.half_life" Number 1.0..10_000.0 index.half_life;
    "memory.recent_half_life" Number 1.0..10_000.0 index.recent_half_life;
    "memory.cap" Whole 1.0..100_000.0 index.cap;
    "memory.keep_items" Whole 1.0..10_000.0 index.keep_items;
    "memory.shrink" Number 0.0..1_000.0 index.shrink;
    "memory.shrink_next" Number 0.0..1_000.0 index.shrink_next;
    "memory.recent_days" Whole 1.0..10_000.0 index.recent_days;
    "memory.keep_users" Whole 1.0..10_000.0 index.keep_users;
    "memory.neighbour_days" Whole 1.0..10_000.0 index.neighbour_days;
    "ranker.cutoffs" Whole 2.0..64.0 cutoffs;
    "ranker.lists" Whole 50.0..200_000.0 lists;
    "ranker.hidden" Whole 1.0..1_024.0 mlp.hidden;
    "ranker.epochs" Whole 1.0..200.0 mlp.epochs;
    "ranker.rate" Number 0.000_001..1.0 mlp.rate;
    "ranker.decay" Number 0.0..10.0 mlp.decay;
    "ranker.batch" Whole 1.0..4_096.0 mlp.batch;
    "ranker.dropout" Flag 0.0..1.0 mlp.dropout;
    "ranker.members" Whole 1.0..64.0 mlp.members;
    "ranker.seed" Whole 0.0..4_294_967_295.0 mlp.seed;
};

/// Names that a sweep can change.
pub(crate) fn names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.name).collect()
}

/// Changes a setting.
///
/// # Errors
/// What is wrong with the name or the value, in words.
pub(crate) fn set(options: &mut RankerTrainOptions, name: &str, value: &Setting) -> Result<(), String> {
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        return Err(format!("there is no setting `{name}`; there are {}", names().join(", ")));
    };
    let number = match (row.kind, value) {
        (Kind::Flag, Setting::Flag(flag)) => f64::from(u8::from(*flag)),
        (Kind::Whole, Setting::Number(number)) if number.fract() == 0.0 => *number,
        (Kind::Number, Setting::Number(number)) => *number,
        (kind, _) => {
            let takes = match kind {
                Kind::Whole => "a whole number",
                Kind::Number => "a number",
                Kind::Flag => "true or false",
            };
            return Err(format!("`{name}` takes {takes}, not `{value}`"));
        }
    };
    let (low, high) = row.range;
    if !(low..=high).contains(&number) {
        return Err(format!("`{name}` takes {low} to {high}, not {number}"));
    }
    (row.set)(options, number);
    Ok(())
}

/// Records the settings of the collaborative index and the ranker.
pub(crate) fn settings(record: &mut RunRecord, options: &RankerTrainOptions) {
    for row in ROWS {
        let value = (row.get)(options);
        let setting = if row.kind == Kind::Flag { Setting::Flag(value != 0.0) } else { Setting::Number(value) };
        record.config.insert(row.name.to_owned(), setting);
    }
    if let Some(ials) = &options.index.ials {
        for (name, value) in
            [("rank", ials.dim.out()), ("sweeps", ials.sweeps.out()), ("alpha", ials.alpha), ("lambda", ials.lambda)]
        {
            record.config.insert(format!("memory.ials.{name}"), Setting::Number(value));
        }
    }
}

/// Notes a document of settings under names with dots.
fn flatten(record: &mut RunRecord, name: &str, value: &Value) {
    let setting = match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| flatten(record, &format!("{name}.{field}"), value));
            return;
        }
        Value::Null => Setting::Text("none".to_owned()),
        Value::Bool(flag) => Setting::Flag(*flag),
        Value::Number(number) => Setting::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Setting::Text(text.clone()),
        Value::Array(_) => Setting::Text(value.to_string()),
    };
    record.config.insert(name.to_owned(), setting);
}

/// Notes how the encoder is tuned.
pub(crate) fn tuning(context: &RunContext<'_>, options: &TuneOptions) {
    // Settings always have a JSON form.
    let value = serde_json::to_value(options).unwrap_or_default();
    context.update(|run| {
        flatten(&mut run.record, "encoder", &value);
        if let Some(seconds) = options.wall_seconds {
            run.record.config.insert("encoder.wall_seconds".to_owned(), Setting::Number(seconds));
        }
    });
}

/// Notes how the encoder is tuned privately.
pub(crate) fn private_tuning(context: &RunContext<'_>, options: &PrivateOptions) {
    let value = serde_json::to_value(options).unwrap_or_default();
    context.update(|run| flatten(&mut run.record, "encoder.private", &value));
}

/// The data of a run: the moment up to which it reads, and the length of the log at its start.
fn data(log: &Log, until: i64, cursor: u64) -> DataSnapshot {
    let shape = log.summary(until);
    DataSnapshot {
        interactions: shape.counts.iter().sum(),
        cursor,
        from: Some(Timestamp::at(shape.first)),
        to: Some(Timestamp::at(shape.last)),
        consent_rule: "shoppers without consent to training are left out".to_owned(),
        held_out: 0.0,
    }
}

/// Notes what a training cycle begins with.
pub(crate) fn cycle(context: &RunContext<'_>, log: &Log, plan: &Plan, base: &Checkpoint) {
    if let Some(note) = outlier_note(&log.summary(i64::MAX)) {
        context.note(note);
    }
    let data = data(log, plan.cutoff, plan.cursor);
    let asked = serde_json::to_value(&plan.request).unwrap_or_default();
    context.update(|run| {
        let record = &mut run.record;
        record.data = Some(data);
        settings(record, &RankerTrainOptions::default());
        flatten(record, "asked", &asked);
        for (name, text) in [
            ("base.name", base.identity.name.clone()),
            ("base.sha256", base.identity.sha256.clone()),
            ("parent", plan.parent.clone()),
            ("gate.from", Timestamp::at(plan.cutoff).to_string()),
            ("gate.to", Timestamp::at(plan.to).to_string()),
        ] {
            record.config.insert(name.to_owned(), Setting::Text(text));
        }
        record.config.insert("seed".to_owned(), Setting::Number(run.seed as f64));
    });
}

/// Notes what an evaluation begins with.
pub(crate) fn evaluation(context: &RunContext<'_>, log: &Log, plan: &Plan, k: usize) {
    let data = data(log, plan.cutoff, 0);
    let stamp = |at: i64| Setting::Text(Timestamp::at(at).to_string());
    context.update(|run| {
        run.record.data = Some(data);
        let rows = [("k", Setting::Number(k as f64)), ("at", stamp(plan.cutoff)), ("to", stamp(plan.to))];
        run.record.config.extend(rows.map(|(name, value)| (name.to_owned(), value)));
    });
}

/// Records the ranker's loss of each epoch, unless this run recorded an earlier training: that one was evaluated.
pub(crate) fn curves(record: &mut RunRecord, report: &RankerTrainReport) {
    for (head, losses) in ["ranker/repeat", "ranker/new"].into_iter().zip(&report.loss) {
        let points = (1..).zip(losses).map(|(step, loss)| LossPoint { step, loss: *loss }).collect();
        record.curves.entry(head.to_owned()).or_insert(points);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_can_be_read_and_changed() {
        let mut record = RunRecord::default();
        settings(&mut record, &RankerTrainOptions::default());
        assert_eq!(record.config["ranker.rate"], Setting::Number(0.002));
        assert_eq!(record.config["ranker.dropout"], Setting::Flag(true));
        for row in ROWS {
            let mut options = RankerTrainOptions::default();
            let value = match row.kind {
                Kind::Flag => Setting::Flag((row.get)(&options) == 0.0),
                _ => Setting::Number(row.range.1),
            };
            set(&mut options, row.name, &value).unwrap();
            assert_ne!(options, RankerTrainOptions::default(), "{} changes nothing", row.name);
            let mut record = RunRecord::default();
            settings(&mut record, &options);
            if row.kind != Kind::Number {
                assert_eq!(record.config[row.name], value);
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_words() {
        let mut options = RankerTrainOptions::default();
        let number = Setting::Number;
        assert!(set(&mut options, "ranker.depth", &number(2.0)).unwrap_err().contains("ranker.hidden"));
        assert!(set(&mut options, "ranker.hidden", &number(1.5)).unwrap_err().contains("whole"));
        assert!(set(&mut options, "ranker.hidden", &Setting::Text("many".into())).is_err());
        assert!(set(&mut options, "ranker.epochs", &number(0.0)).unwrap_err().contains("1 to 200"));
        assert_eq!(options, RankerTrainOptions::default());
    }
}
