//! Each verdict of the guardrails on lists with a planted harm, and what becomes of a decision.

use mercer_shared::time::Timestamp;

use super::*;

/// Lists of `users` shoppers, every one with its own ten of `reach` items, and values around 0.4 that differ by `lift`.
fn lists(users: u32, reach: u32, lift: impl Fn(u32) -> f64) -> Lists {
    Lists {
        users: (0..users).collect(),
        truth: vec![vec![1]; users as usize],
        lists: (0..users).map(|user| (0..10).map(|place| (user * 7 + place * 13) % reach).collect()).collect(),
        ndcg: (0..users).map(|user| f64::from(user * 37 % 80) / 100.0 + lift(user)).collect(),
    }
}

fn evaluated(lists: Lists) -> Evaluated {
    Evaluated { all: lists, ..Evaluated::default() }
}

fn eligible(items: u32) -> EligibleItems {
    EligibleItems {
        places: (0..items).map(Some).collect(),
        popularity: (0..items).map(|item| f64::from(items / (item + 1))).collect(),
    }
}

/// Every fourth shopper is heavy.
fn history(users: u32) -> Grouping {
    let label = |user: u32| if user.is_multiple_of(4) { "heavy" } else { "light" };
    Grouping { attribute: HISTORY.to_owned(), labels: (0..users).map(|user| (user, label(user).to_owned())).collect() }
}

struct Case {
    candidate: Evaluated,
    incumbent: Evaluated,
    groupings: Vec<Grouping>,
    config: GateConfig,
}

impl Case {
    fn of(candidate: Lists, incumbent: Lists) -> Self {
        let users = incumbent.users.len() as u32;
        Self {
            candidate: evaluated(candidate),
            incumbent: evaluated(incumbent),
            groupings: vec![history(users)],
            config: GateConfig::default(),
        }
    }

    fn measured(&self) -> Vec<GateGuardrail> {
        measure(&GuardrailInput {
            candidate: &self.candidate,
            incumbent: &self.incumbent,
            groupings: &self.groupings,
            eligible: &eligible(700),
            config: &self.config,
            seed: 1,
        })
    }

    fn decided(&self, on_harm: OnHarm) -> GateReport {
        apply(gate(GateVerdict::Promote), self.measured(), on_harm)
    }
}

fn gate(verdict: GateVerdict) -> GateReport {
    GateReport {
        verdict,
        reason: "better than the serving model (repeat)".to_owned(),
        from: Timestamp::default(),
        to: Timestamp::default(),
        users: 400,
        alpha: 0.01,
        minimum_detectable: None,
        comparisons: Vec::new(),
        spending: None,
        objectives: Vec::new(),
        guardrails: Vec::new(),
        asks: false,
    }
}

fn named<'a>(found: &'a [GateGuardrail], name: &str) -> &'a GateGuardrail {
    found.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} is none of {found:?}"))
}

/// Light shoppers gain, heavy ones lose; the mean rises.
fn harmful() -> Case {
    let lift = |user: u32| if user.is_multiple_of(4) { -0.1 } else { 0.1 } + f64::from(user % 11) / 1_000.0;
    Case::of(lists(400, 600, lift), lists(400, 600, |_| 0.0))
}

#[test]
fn a_candidate_that_harms_a_group_is_refused_with_the_numbers() {
    let decided = harmful().decided(OnHarm::Refuse);
    assert_eq!(decided.verdict, GateVerdict::Reject);
    assert!(!decided.asks);
    let heavy = named(&decided.guardrails, "heavy");
    assert_eq!(
        (heavy.verdict, heavy.n, heavy.attribute.as_deref()),
        (GuardrailVerdict::Harm, Some(100), Some(HISTORY))
    );
    assert!(heavy.change.unwrap() < -0.09 && heavy.high.unwrap() < 0.0, "{heavy:?}");
    assert_eq!(named(&decided.guardrails, "light").verdict, GuardrailVerdict::NoHarm);
    for words in ["refused for harm", "ndcg@10/repeat of `heavy` by history falls from", "100 shoppers", "better than"]
    {
        assert!(decided.reason.contains(words), "{words}: {}", decided.reason);
    }
}

#[test]
fn a_candidate_that_harms_a_group_may_be_asked_about() {
    let decided = harmful().decided(OnHarm::Ask);
    assert_eq!((decided.verdict, decided.asks), (GateVerdict::Promote, true));
    assert!(decided.reason.contains("waits to be promoted by hand"), "{}", decided.reason);
    // One that failed on its own numbers stays as it is, and shows the guardrails beside.
    let failed = apply(gate(GateVerdict::Reject), harmful().measured(), OnHarm::Ask);
    assert_eq!((failed.verdict, failed.asks), (GateVerdict::Reject, false));
    assert_eq!(failed.reason, "better than the serving model (repeat)");
    assert!(!failed.guardrails.is_empty());
}

#[test]
fn a_candidate_that_shows_fewer_items_is_stopped_with_the_numbers() {
    // From about 600 effective items to about 400, at the same accuracy.
    let case = Case::of(lists(400, 400, |_| 0.0), lists(400, 600, |_| 0.0));
    let decided = case.decided(OnHarm::Refuse);
    assert_eq!(decided.verdict, GateVerdict::Reject);
    let effective = named(&decided.guardrails, "effective items");
    assert_eq!((effective.verdict, effective.attribute.is_none()), (GuardrailVerdict::Harm, true));
    assert!(decided.reason.contains("effective items@10/repeat falls from"), "{}", decided.reason);
    assert!(decided.reason.contains("more than the tolerated 10 % is not excluded"), "{}", decided.reason);
    // A wider margin lets the same candidate pass, and the numbers stay in the decision.
    let config = GateConfig { diversity_margin: 0.9, ..GateConfig::default() };
    let decided = Case { config, ..case }.decided(OnHarm::Refuse);
    assert_eq!(
        (decided.verdict, decided.reason.as_str()),
        (GateVerdict::Promote, "better than the serving model (repeat)")
    );
    assert!(named(&decided.guardrails, "effective items").change.unwrap() < -0.2);
}

#[test]
fn harm_within_noise_is_not_harm() {
    // Heavy shoppers lose a little on average, by far less than their values differ.
    let lift = |user: u32| f64::from(user * 53 % 97) / 100.0 - 0.49;
    let decided = Case::of(lists(400, 600, lift), lists(400, 600, |_| 0.0)).decided(OnHarm::Refuse);
    assert_eq!(named(&decided.guardrails, "heavy").verdict, GuardrailVerdict::WithinNoise, "{:?}", decided.guardrails);
    assert_eq!((decided.verdict, decided.asks), (GateVerdict::Promote, false));
    // Equal lists harm nobody.
    let same = Case::of(lists(400, 600, |_| 0.0), lists(400, 600, |_| 0.0)).measured();
    assert!(same.iter().all(|one| one.verdict == GuardrailVerdict::NoHarm), "{same:?}");
}

#[test]
fn fewer_users_than_can_be_tested_say_insufficient_data() {
    let lift = |user: u32| if user.is_multiple_of(4) { -0.3 } else { 0.0 };
    let found = Case::of(lists(60, 600, lift), lists(60, 600, |_| 0.0)).measured();
    let heavy = named(&found, "heavy");
    assert_eq!((heavy.verdict, heavy.n), (GuardrailVerdict::InsufficientData, Some(20)));
    assert!(heavy.undefined.as_deref().is_some_and(|why| why.contains("few")) && heavy.candidate.is_none());
    assert_eq!(named(&found, "coverage").verdict, GuardrailVerdict::InsufficientData);
    // Nothing can be said of five heavy shoppers, not even how many they are.
    let found = Case::of(lists(20, 600, lift), lists(20, 600, |_| 0.0)).measured();
    assert_eq!(named(&found, "heavy").n, None);
}

#[test]
fn attributes_gate_in_groups_of_400_only() {
    let region = |small: u32| {
        let label = |user: u32| if user < small { "north" } else { "south" };
        let labels = (0..900).map(|user| (user, label(user).to_owned())).collect();
        Grouping { attribute: "region".to_owned(), labels }
    };
    let lift = |user: u32| if user < 420 { -0.1 } else { 0.1 } + f64::from(user % 11) / 1_000.0;
    let case = |small: u32| Case {
        groupings: vec![region(small)],
        ..Case::of(lists(900, 600, lift), lists(900, 600, |_| 0.0))
    };
    assert_eq!(named(&case(420).measured(), "north").verdict, GuardrailVerdict::Harm);
    assert_eq!(named(&case(399).measured(), "north").verdict, GuardrailVerdict::InsufficientData);
    assert_eq!(case(399).decided(OnHarm::Refuse).verdict, GateVerdict::Promote);
    // Who declared nothing is a group too.
    let nobody = Grouping { attribute: "region".to_owned(), labels: BTreeMap::new() };
    let found = Case { groupings: vec![nobody], ..case(420) }.measured();
    assert_eq!(named(&found, "unknown").n, Some(900));
}
