//! Settings of mitigations as operators write them, and mitigations in words: for the command `mercer mitigation` and for the screen.

use mercer_shared::wire::{
    Mitigation, MitigationAction, MitigationPrice, MitigationRevision, MitigationSettings, Placement, PriceRow,
    PriceStatus, Reranker,
};
use serde_json::{Map, Value};

use crate::text;

/// One re-ranker of each kind as an operator writes it, with what it does.
pub(crate) const EXAMPLES: [(&str, &str); 8] = [
    ("items unlike those above them", r#"{"kind": "mmr", "lambda": 0.7}"#),
    ("a list of items that differ as a whole", r#"{"kind": "dpp", "theta": 0.8}"#),
    ("every interest of the shopper on the list", r#"{"kind": "xquad", "lambda": 0.3, "by": "category"}"#),
    (
        "interests in the proportions of the shopper's history",
        r#"{"kind": "calibrated", "lambda": 0.5, "by": "brand"}"#,
    ),
    ("target shares in every prefix", r#"{"kind": "det_greedy", "by": "seller", "shares": {"a": 0.3, "*": 0.7}}"#),
    (
        "a protected group as often as a fair draw",
        r#"{"kind": "fair_star_ir", "by": "attribute:origin", "protected": "local", "p": 0.3, "alpha": 0.1}"#,
    ),
    (
        "floors and caps of exposure over a window",
        r#"{"kind": "exposure", "by": "seller", "floors": {"a": 0.1}, "caps": {"*": 0.4}, "window_days": 7}"#,
    ),
    ("less popular items", r#"{"kind": "popularity", "method": "pda", "gamma": -0.2}"#),
];

/// Settings for a placement, not in force yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MitigationDraft {
    /// The placement.
    pub placement: Placement,
    /// The settings.
    pub settings: MitigationSettings,
}

impl MitigationDraft {
    /// Reads a line as `mercer mitigation what-if` takes it: the settings as JSON and `--placement NAME`, in any order. Without the
    /// option, the settings are for `placement`.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn parse(line: &str, placement: &Placement) -> Result<Self, String> {
        const OPTION: &str = "--placement";
        let line = line.trim();
        let (json, named) = match (line.strip_prefix(OPTION), line.rsplit_once(OPTION)) {
            (Some(rest), _) => {
                let rest = rest.trim_start_matches(['=', ' ']);
                let (name, json) = rest.split_once(' ').unwrap_or((rest, ""));
                (json, Some(name))
            }
            // Within the JSON the word would stand before its last brace.
            (None, Some((json, name))) if !name.contains('}') => (json, Some(name.trim_start_matches(['=', ' ']))),
            _ => (line, None),
        };
        let placement = match named {
            Some(name) => Placement::new(name.trim()).map_err(|error| error.to_string())?,
            None => placement.clone(),
        };
        Ok(Self { placement, settings: read_settings(json)? })
    }

    /// The line that reads as these settings.
    pub(crate) fn line(&self) -> String {
        let json = serde_json::to_string(&self.settings).unwrap_or_default();
        format!("--placement {} {json}", self.placement)
    }
}

/// Reads settings from JSON.
///
/// # Errors
/// A sentence that names the field, such as `rerankers[0] (mmr), lambda: invalid type: string "x", expected a number`.
pub(crate) fn read_settings(text: &str) -> Result<MitigationSettings, String> {
    let kinds = || EXAMPLES.map(|(_, example)| kind_of(example)).join(", ");
    if text.trim().is_empty() {
        return Err(format!("the settings are empty; such as {}", example()));
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("no JSON: {error}; such as {}", example()))?;
    let Value::Object(fields) = &value else {
        return Err(format!("the settings are no JSON object; such as {}", example()));
    };
    let error = match serde_json::from_value::<MitigationSettings>(value.clone()) {
        Ok(settings) => return Ok(settings),
        Err(error) => error.to_string(),
    };
    let Some(rerankers) = fields.get("rerankers") else {
        return Err(format!("rerankers is missing ({error}); such as {}", example()));
    };
    let Value::Array(rerankers) = rerankers else { return Err("rerankers: it takes a list, [...]".to_owned()) };
    for (place, reranker) in rerankers.iter().enumerate() {
        let Err(error) = serde_json::from_value::<Reranker>(reranker.clone()) else { continue };
        let Value::Object(fields) = reranker else {
            return Err(format!("rerankers[{place}]: it takes an object, such as {{\"kind\": \"mmr\"}}"));
        };
        let kind = match fields.get("kind") {
            None => return Err(format!("rerankers[{place}]: kind is missing; it takes one of {}", kinds())),
            Some(Value::String(kind)) => text::clean(kind),
            Some(_) => return Err(format!("rerankers[{place}], kind: it takes one of {}", kinds())),
        };
        if !EXAMPLES.iter().any(|(_, example)| kind_of(example) == kind) {
            return Err(format!("rerankers[{place}], kind: `{kind}` is none of {}", kinds()));
        }
        let field = culprit(fields).map(|field| format!(", {field}")).unwrap_or_default();
        let error = error
            .to_string()
            .replace("expected f64", "expected a number")
            .replace("expected u32", "expected a whole number");
        return Err(text::clean(&format!("rerankers[{place}] ({kind}){field}: {error}")));
    }
    // What is wrong lies beside the re-rankers.
    let field = if error.starts_with("unknown field") { "" } else { "note: " };
    Err(text::clean(&format!("{field}{error}")))
}

fn example() -> String {
    format!("{{\"rerankers\": [{}]}}", EXAMPLES[0].1)
}

/// The kind of an example.
fn kind_of(example: &str) -> String {
    let parsed: Map<String, Value> = serde_json::from_str(example).unwrap_or_default();
    parsed.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The field without which a re-ranker fails in another way or not at all: that is the one whose value is wrong. `None` where the error
/// names its field itself.
fn culprit(fields: &Map<String, Value>) -> Option<String> {
    let failure = |fields: &Map<String, Value>| {
        serde_json::from_value::<Reranker>(Value::Object(fields.clone())).err().map(|error| error.to_string())
    };
    let error = failure(fields)?;
    if error.starts_with("unknown field") || error.starts_with("missing field") {
        return None;
    }
    let without = |fields: &Map<String, Value>, name: &str| {
        let mut rest = fields.clone();
        rest.remove(name);
        rest
    };
    let changes = |rest: &Map<String, Value>| failure(rest).as_ref() != Some(&error);
    let name = fields.keys().filter(|name| *name != "kind").find(|name| changes(&without(fields, name)))?;
    let Some(Value::Object(table)) = fields.get(name) else { return Some(name.clone()) };
    let entry = table.keys().find(|entry| {
        let mut rest = fields.clone();
        rest.insert(name.clone(), Value::Object(without(table, entry)));
        changes(&rest)
    });
    Some(entry.map_or_else(|| name.clone(), |entry| format!("{name}.{entry}")))
}

/// A re-ranker as people read it: its kind and parameters.
pub(crate) fn reranker(one: &Reranker) -> String {
    let mut fields = serde_json::to_value(one).unwrap_or_default();
    let parameters = fields.as_object_mut().map(|fields| {
        fields.remove("kind");
        let words: Vec<_> = fields.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
        words.join(", ")
    });
    format!("{} ({})", one.kind(), text::clean(&parameters.unwrap_or_default()))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Object(table) => {
            let entries: Vec<_> = table.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
            format!("[{}]", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// Re-rankers in one line; `off` for none.
pub(crate) fn rerankers(all: &[Reranker]) -> String {
    if all.is_empty() {
        return "off".to_owned();
    }
    all.iter().map(reranker).collect::<Vec<_>>().join("; ")
}

/// How a revision came about.
pub(crate) const fn action(revision: &MitigationRevision) -> &'static str {
    match revision.action {
        MitigationAction::Set => "set",
        MitigationAction::Off => "off",
        MitigationAction::Undo => "undo",
    }
}

/// Whether the price of a placement's mitigations is known.
pub(crate) fn price_word(mitigation: &Mitigation) -> String {
    match mitigation.price_status {
        PriceStatus::Measured => "measured".to_owned(),
        PriceStatus::OtherVersion => {
            let model = mitigation.price.as_ref().map_or("another version", |price| price.model.as_str());
            format!("measured on {}", text::clean(model))
        }
        PriceStatus::NotMeasured => "not measured".to_owned(),
        PriceStatus::Off => "-".to_owned(),
    }
}

/// What a price row measures, and why a number is missing.
pub(crate) fn price_label(row: &PriceRow) -> String {
    let missing = row.undefined.as_ref().map(|why| format!(" (undefined: {why})"));
    text::clean(&format!("{}{}", row.label, missing.unwrap_or_default()))
}

/// A difference with its sign, as exact as the numbers beside it.
pub(crate) fn price_difference(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    if value.abs() < 10.0 { text::signed(value) } else { format!("{sign}{}", text::value(value)) }
}

/// The interval of a difference, its ends with their signs.
pub(crate) fn price_interval(row: &PriceRow) -> String {
    match (row.low, row.high) {
        (Some(low), Some(high)) => format!("[{}, {}]", price_difference(low), price_difference(high)),
        _ => "-".to_owned(),
    }
}

/// On what a price rests.
pub(crate) fn price_basis(price: &MitigationPrice) -> String {
    let window = match (price.from, price.to) {
        (Some(from), Some(to)) => format!(", window {} to {}", text::moment(from), text::moment(to)),
        _ => String::new(),
    };
    let users = text::plural(price.users, "shopper", "shoppers");
    format!("{users}{window}; {} changed", text::plural(price.lists_changed, "list", "lists"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rerankers: &str) -> String {
        format!(r#"{{"rerankers": [{rerankers}]}}"#)
    }

    #[test]
    fn every_kind_has_an_example_that_is_read() {
        let mut kinds = Vec::new();
        for (_, example) in EXAMPLES {
            let read = read_settings(&settings(example)).unwrap();
            assert!(example.contains(&format!("\"{}\"", read.rerankers[0].kind())));
            kinds.push(read.rerankers[0].kind());
        }
        // A new kind without an example fails here, where it would be forgotten in the help.
        for kind in kinds.drain(..) {
            match read_settings(&settings(&format!(r#"{{"kind": "{kind}", "none": 1}}"#))) {
                Err(error) => assert!(error.contains("`none`") || error.contains("missing field"), "{error}"),
                Ok(_) => panic!("{kind} takes any field"),
            }
        }
        let unknown = serde_json::from_str::<Reranker>(r#"{"kind": "none"}"#).unwrap_err().to_string();
        let known = unknown.matches('`').count() / 2 - 1;
        assert_eq!(known, EXAMPLES.len(), "{unknown}");
    }

    #[test]
    fn a_mistake_is_told_by_its_field() {
        for (bad, words) in [
            (r#"{"kind":"mmr","lambda":"high"}"#, &["rerankers[0] (mmr), lambda: ", "\"high\", expected a number"][..]),
            (r#"{"kind":"mmr"},{"kind":"dpp","theta":null}"#, &["rerankers[1] (dpp), theta: "]),
            (r#"{"kind":"mmr","lamda":0.7}"#, &["rerankers[0] (mmr): ", "`lamda`", "`lambda`"]),
            (r#"{"kind":"det_greedy","by":"seller","shares":{"a":0.5,"b":"x"}}"#, &["(det_greedy), shares.b: "]),
            (r#"{"kind":"det_greedy","by":"age","shares":{}}"#, &["(det_greedy), by: ", "`age` is none of"]),
            (r#"{"kind":"fair_star_ir","by":"seller","p":0.3}"#, &["(fair_star_ir): missing field `protected`"]),
            (r#"{"kind":"exposure","window_days":1.5}"#, &["(exposure), window_days: ", "a whole number"]),
            (r#"{"kind":"mrm"}"#, &["rerankers[0], kind: `mrm` is none of mmr, dpp,"]),
            (r#"{"lambda":1}"#, &["rerankers[0]: kind is missing"]),
            ("3", &["rerankers[0]: it takes an object"]),
        ] {
            let error = read_settings(&settings(bad)).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{bad}: {error}");
        }
        for (bad, word) in [
            ("", "empty"),
            ("{", "no JSON"),
            ("[]", "no JSON object"),
            ("{}", "rerankers is missing"),
            (r#"{"rerankers": {}}"#, "rerankers: it takes a list"),
            (r#"{"rerankers": [], "notes": "x"}"#, "`notes`"),
            (r#"{"rerankers": [], "note": 3}"#, "note: "),
        ] {
            let error = read_settings(bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn a_line_is_read_as_the_command_reads_its_arguments() {
        let (home, basket) = (Placement::new("home").unwrap(), Placement::new("basket").unwrap());
        let json = settings(r#"{"kind":"mmr","lambda":0.5}"#);
        for line in [
            format!("--placement home {json}"),
            format!("{json} --placement home"),
            format!("--placement=home  {json} "),
        ] {
            let draft = MitigationDraft::parse(&line, &basket).unwrap();
            assert_eq!((&draft.placement, draft.settings.rerankers.len()), (&home, 1), "{line}");
            assert_eq!(MitigationDraft::parse(&draft.line(), &basket), Ok(draft));
        }
        assert_eq!(MitigationDraft::parse(&json, &basket).unwrap().placement, basket);
        let noted = r#"{"rerankers": [], "note": "see --placement"}"#;
        assert_eq!(MitigationDraft::parse(noted, &home).unwrap().placement, home);
        assert!(MitigationDraft::parse(&format!("{json} --placement HOME"), &home).unwrap_err().contains("`HOME`"));
        assert!(MitigationDraft::parse("--placement home", &home).unwrap_err().contains("empty"));
    }
}
