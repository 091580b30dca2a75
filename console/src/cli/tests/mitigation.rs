//! `mercer mitigation`: an example of each kind in the help, mistakes told by their field, and tables at 80 columns.

use clap::CommandFactory;
use mercer_shared::problem::Code;
use serde_json::json;

use super::daemon::{Fake, nobody};
use crate::cli::Cli;
use crate::mitigations::EXAMPLES;
use crate::text;

#[test]
fn the_help_has_an_example_of_each_kind() {
    let mut cli = Cli::command();
    let mitigation = cli.find_subcommand_mut("mitigation").unwrap();
    let mut pages = vec![mitigation.render_long_help().to_string()];
    for name in ["set", "what-if"] {
        pages.push(mitigation.find_subcommand_mut(name).unwrap().render_long_help().to_string());
    }
    for (page, (_, example)) in pages.iter().flat_map(|page| EXAMPLES.map(|example| (page, example))) {
        assert!(page.contains(example), "{example} in {page}");
    }
}

#[test]
fn a_mistake_in_a_file_is_told_by_file_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.json");
    std::fs::write(&file, r#"{"rerankers": [{"kind": "mmr"}, {"kind": "dpp", "theta": "high"}]}"#).unwrap();
    for command in ["set", "what-if"] {
        let ran = nobody(&["mitigation", command, file.to_str().unwrap()]);
        assert_eq!(ran.code, Code::BadFile.exit(), "{}", ran.err);
        assert!(ran.err.contains("settings.json: rerankers[1] (dpp), theta: "), "{}", ran.err);
    }
}

#[test]
fn a_placement_is_told_in_80_columns_and_nothing_is_cut() {
    let rerankers = json!([{"kind": "exposure", "by": "seller", "floors": {"Little Oak Supply": 0.05}, "caps": {"*": 0.4}, "window_days": 28}]);
    let row = |name: &str, label: &str| {
        json!({"name": name, "label": label, "before": 0.41, "after": 0.44, "difference": 0.03, "low": 0.02, "high": 0.04,
               "n": 1812, "formula": "f"})
    };
    let price = json!({"placement": "home", "rerankers": rerankers, "model": "v000002", "created": "2026-03-02T08:00:00Z",
        "users": 1, "lists_changed": 1, "rows": [
            row("gini@10", "concentration of exposure, 0 even, 1 one item"),
            row("effective-items@10", "items that share the exposure as if evenly")]});
    let current = json!({"version": 2, "rerankers": rerankers, "action": "set", "changed": "2026-03-01T09:00:00Z", "uid": 1000,
        "note": "small sellers asked for it"});
    let document = json!({"placement": "home", "current": current, "price_status": "measured", "price": price});
    let fake = Fake::default().on("GET /v1/mitigations/home", document).columns(80);
    let ran = fake.run(&["mitigation", "show", "--placement", "home"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.lines().all(|line| text::width(line) <= 80), "{}", ran.out);
    for words in
        ["floors [Little Oak Supply 0.05]", "0 even, 1 one item", "as if evenly", "why small sellers", "1 list changed"]
    {
        assert!(ran.out.replace('\n', " ").contains(words), "{words} in {}", ran.out);
    }
}
