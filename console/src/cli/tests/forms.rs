//! The forms that scripts rely on, and the slips that are usage errors.

use clap::{CommandFactory, Parser};

use crate::cli::lists::Form;
use crate::cli::models::ModelsCommand;
use crate::cli::{Cli, Command};
use mercer_shared::wire::{Candidates, Mode};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_table_of_arguments_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_form_of_the_contract_is_read() {
    for line in [
        "mercer",
        "mercer --socket /s",
        "mercer --socket /s status",
        "mercer status --json --socket /s",
        "mercer import --preset online-retail a.csv b.csv.gz",
        "mercer import --format ndjson items=a users=b interactions=c",
        "mercer import --format ndjson interactions=c --dry-run --strict",
        "mercer import --list",
        "mercer train",
        "mercer train --wait --budget 10m --seed 7 --no-encoder --promote",
        "mercer train --no-promote",
        "mercer train --tuning adalora",
        "mercer models",
        "mercer models list",
        "mercer models show v000001",
        "mercer models promote v000001",
        "mercer models rollback",
        "mercer models pin v000001",
        "mercer models unpin v000001",
        "mercer runs",
        "mercer runs list",
        "mercer runs show r000001",
        "mercer runs cancel r000001",
        "mercer runs compare r000001 r000002 --json",
        "mercer runs export r000001 --tensorboard tb --ndjson -",
        "mercer eval",
        "mercer eval --at 2011-11-09T12:50:00Z -k 20 --seed 3 --per-user values.parquet --json",
        "mercer eval --detach",
        "mercer eval --replay --windows 12 --steps 60 --seeds 5 --json",
        "mercer eval replay r000001",
        "mercer eval list -n 5",
        "mercer eval show r000001 --per-user values.parquet",
        "mercer sweep --set ranker.hidden=32,64 --set ranker.dropout=true,false --budget 10m",
        "mercer users",
        "mercer users 17",
        "mercer user u --set region=north --train off",
        "mercer user consent u",
        "mercer user consent u --personalise off --explanations off",
        "mercer user erase u --yes",
        "mercer user export u --html -o u.html",
        "mercer user forget-interest u Outdoor --kind category",
        "mercer models rebuild",
        "mercer items lamp",
        "mercer items --id 85123A",
        "mercer items delete 85123A",
        "mercer interact view 85123A --user u",
        "mercer interact search --session s --query lamp",
        "mercer profile 17850 --at 2011-11-09",
        "mercer recommend 17850",
        "mercer recommend 17850 -k 20 --at 2011-11-09T12:50:00Z --mode new --candidates warm --filter stock --reasons --json",
        "mercer recommend --users users.txt -k 20 --output ndjson",
        "mercer recommend --users - --mode repeat --candidates cold --output ndjson",
        "mercer search lights -k 30 --user u",
        "mercer search --queries q.ndjson -k 30 --output ndjson",
        "mercer related 85123A",
        "mercer trending -k 5",
        "mercer report quality",
        "mercer report diversity --model v000002",
        "mercer report fairness --json",
        "mercer recommend u --placement basket",
        "mercer mitigation",
        "mercer mitigation list --json",
        "mercer mitigation show --placement home",
        "mercer mitigation set mmr.json --placement home",
        "mercer mitigation what-if - --placement home",
        "mercer mitigation undo",
        "mercer mitigation off --placement home",
        "mercer events --json",
        "mercer decisions",
        "mercer audit -n 5",
        "mercer export",
        "mercer erase 17850 --yes",
        "mercer encoder list",
        "mercer encoder add ./dir",
        "mercer encoder add owner/name --activate",
        "mercer demo",
        "mercer demo --seed 3 --keep",
        "mercer manual",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn options_reach_the_wire() {
    let line =
        "mercer recommend u -k 7 --at 2011-11-09 --mode new --candidates cold --filter price:1..2 --output ndjson";
    let Some(Command::Recommend(args)) = parse(line).unwrap().command else { panic!("another command") };
    let query = args.list.query();
    assert_eq!((query.k, query.mode, query.candidates), (Some(7), Some(Mode::New), Some(Candidates::Cold)));
    assert_eq!(query.at.unwrap().to_string(), "2011-11-09T00:00:00Z");
    assert_eq!((query.filter.as_deref(), query.reasons), (Some("price:1..2"), None));
    assert_eq!(args.output, Some(Form::Ndjson));
    let Some(Command::Models { command: Some(ModelsCommand::Pin { version }) }) =
        parse("mercer models pin v1").unwrap().command
    else {
        panic!("another command")
    };
    assert_eq!(version, "v1");
}

#[test]
fn suggestions_are_near_what_was_typed() {
    let told = |line: &str| crate::cli::suggest::near_ones_only(parse(line).unwrap_err()).to_string();
    for (line, suggested) in [
        ("mercer statsu", "'status'"),
        ("mercer recomend u", "'recommend'"),
        ("mercer models lsit", "'list'"),
        ("mercer train --bugdet 10m", "'--budget'"),
    ] {
        assert!(told(line).contains(suggested), "{line}: {}", told(line));
    }
    // Words that merely share letters help nobody.
    for line in ["mercer stop", "mercer rebuild", "mercer delete", "mercer stats-of-the-day", "mercer lists"] {
        assert!(!told(line).contains("similar"), "{line}: {}", told(line));
    }
}

#[test]
fn lists_of_all_and_of_novel_items_are_the_wires_repeat_and_new() {
    for (word, mode) in [("all", Mode::Repeat), ("novel", Mode::New), ("repeat", Mode::Repeat), ("new", Mode::New)] {
        let line = format!("mercer recommend u --mode {word}");
        let Some(Command::Recommend(args)) = parse(&line).unwrap().command else { panic!("another command") };
        assert_eq!(args.list.query().mode, Some(mode), "{word}");
    }
}

#[test]
fn slips_are_usage_errors() {
    for line in [
        "mercer fly",
        "mercer import a.csv",
        "mercer import --preset p",
        "mercer import --format csv a.csv",
        "mercer import --preset p --format ndjson a",
        "mercer train --promote --no-promote",
        "mercer train --budget soon",
        "mercer recommend",
        "mercer recommend u --users f",
        "mercer recommend u -k 0",
        "mercer recommend u -k 1001",
        "mercer recommend u --at yesterday",
        "mercer recommend u --at 1969-12-31",
        "mercer recommend u --mode old",
        "mercer recommend u --filter colour:red",
        "mercer search",
        "mercer search q --queries f",
        "mercer report speed",
        "mercer interact view i",
        "mercer interact stare i --user u",
        "mercer erase",
        "mercer models promote",
    ] {
        let refusal = parse(line).expect_err(line);
        assert_eq!(refusal.exit_code(), 2, "{line}");
    }
    assert_eq!(parse("mercer --help").unwrap_err().exit_code(), 0);
}
