//! Names of the wire in words that people understand. The wire keeps its names.

use mercer_shared::wire::{ExplanationScope, GateVerdict, Mode, ModelState, ModelVersion, RunPhase};
use serde::Serialize;

use super::number::plural;

/// A word of the wire with blanks for underscores: `within_noise` is `within noise`.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A phase of a run. The wire calls the fit of the collaborative index `memory` and that of the sequence model `network`.
pub(crate) fn phase(phase: &RunPhase) -> String {
    match phase {
        RunPhase::Memory => "index".to_owned(),
        RunPhase::Network => "sequence model".to_owned(),
        other => word(other),
    }
}

/// The state of a version. One that the gate could not decide on is `undecided`; the wire calls it rejected too.
pub(crate) fn model_state(version: &ModelVersion) -> String {
    let undecided = version.gate.as_ref().is_some_and(|gate| gate.verdict == GateVerdict::InsufficientData);
    if version.state == ModelState::Rejected && undecided { "undecided".to_owned() } else { word(&version.state) }
}

/// The mode of a list: `all`, or `novel` if items that the user bought are left out. The wire says `repeat` and `new`.
pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Repeat => "all",
        Mode::New => "novel",
    }
}

/// The slice of a metric, whose name begins with the mode of its lists: `repeat` and `repeat-all` are `all`, `new-warm` is
/// `novel warm`. Other slices keep their names.
pub(crate) fn slice(name: &str) -> String {
    let (head, rest) = name.split_once('-').unwrap_or((name, ""));
    let mode = match head {
        "repeat" => mode(Mode::Repeat),
        "new" => mode(Mode::New),
        _ => return name.to_owned(),
    };
    if matches!(rest, "" | "all") { mode.to_owned() } else { format!("{mode} {rest}") }
}

/// How far the reasons of a list were searched, in one line.
pub(crate) fn scope(scope: &ExplanationScope) -> String {
    let ExplanationScope { own, own_tried, others_tried, pairs_tried, depth, limit_ms, complete } = scope;
    let pairs = match pairs_tried {
        0 => String::new(),
        n => format!(", {}", plural(*n, "pair", "pairs")),
    };
    let end = if *complete { String::new() } else { format!("; {limit_ms} ms were not enough for all") };
    let own = plural(*own, "own item", "own items");
    let others = plural(*others_tried, "other cause", "other causes");
    format!("reasons: tried {own_tried} of {own} and {others}{pairs}, to rank {depth}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_for_reasons_says_how_far_it_came() {
        let done = ExplanationScope {
            own: 37,
            own_tried: 37,
            others_tried: 2,
            depth: 200,
            limit_ms: 2000,
            complete: true,
            pairs_tried: 0,
        };
        assert_eq!(scope(&done), "reasons: tried 37 of 37 own items and 2 other causes, to rank 200");
        let cut = ExplanationScope { own_tried: 5, pairs_tried: 3, complete: false, ..done };
        let said = scope(&cut);
        assert!(said.starts_with("reasons: tried 5 of 37 own items and 2 other causes, 3 pairs"), "{said}");
        assert!(said.ends_with("2000 ms were not enough for all"), "{said}");
        let one = ExplanationScope { own: 1, own_tried: 1, others_tried: 1, pairs_tried: 1, complete: true, ..cut };
        assert_eq!(scope(&one), "reasons: tried 1 of 1 own item and 1 other cause, 1 pair, to rank 200");
    }

    #[test]
    fn names_of_the_wire_become_words() {
        assert_eq!(word(&mercer_shared::wire::Verdict::WithinNoise), "within noise");
        let all = ["repeat", "new", "repeat-all", "new-warm", "cold", "by search"].map(slice);
        assert_eq!(all, ["all", "novel", "all", "novel warm", "cold", "by search"]);
    }
}
