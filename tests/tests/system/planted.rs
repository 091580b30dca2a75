//! A planted change of taste: an encoder that is tuned on after every window beats one that was tuned once, and one that learned from
//! shuffled purchases; where nothing changes it beats neither. What is planted is what items lead to, so no popularity gives it away.

use mercer_shared::wire::{Replay, ReplayRequest, RunState};
use mercer_tests::{Daemon, at};
use serde_json::{Value, json};

const THEMES: [&str; 12] = [
    "kettle", "lantern", "puzzle", "scarf", "notebook", "candle", "basket", "mirror", "hammer", "pillow", "violin",
    "umbrella",
];
const COLOURS: [&str; 4] = ["red", "blue", "green", "white"];
/// Windows that are judged, of a week each; two more weeks come before them.
const WINDOWS: usize = 5;
/// Shoppers who come in a week for the first time.
const SHOPPERS: usize = 60;

/// Numbers by a linear congruential generator (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    /// Two different colours.
    fn two(&mut self) -> [usize; 2] {
        let first = self.below(4);
        [first, (first + 1 + self.below(3)) % 4]
    }
}

/// A shop where everybody buys two items of a theme and in the week after two of the same theme; where taste changes, from the first
/// judged window on, two of the theme's neighbour instead.
fn shop(changes: bool) -> String {
    let id = |theme: usize, colour: usize| format!("{}-{}", COLOURS[colour], THEMES[theme]);
    let mut documents: Vec<Value> = Vec::new();
    for (theme, word) in THEMES.iter().enumerate() {
        documents.extend((0..4).map(|c| {
            let title = format!("{} {word}", COLOURS[c]);
            json!({ "item": { "id": id(theme, c), "title": title } })
        }));
    }
    let mut dice = Dice(1);
    let mut bought = Vec::new();
    for week in 1..WINDOWS + 2 {
        for n in 0..SHOPPERS {
            let theme = dice.below(12);
            let first = dice.two();
            let (then, second) = if changes && week >= 2 {
                (theme ^ 1, dice.two())
            } else {
                // The other two of the theme: what nobody has to be taught.
                let rest: Vec<usize> = (0..4).filter(|c| !first.contains(c)).collect();
                (theme, [rest[0], rest[1]])
            };
            let begin = 7 * 24 * week;
            let (before, after) = (begin - 24 - dice.below(120), begin + 1 + dice.below(140));
            let user = format!("u{week}-{n}");
            bought.extend(first.map(|c| (before, user.clone(), id(theme, c))));
            bought.extend(second.map(|c| (after, user.clone(), id(then, c))));
        }
    }
    // The log begins and ends where its weeks do, so that windows are weeks.
    bought.push((0, "u1-0".to_owned(), id(0, 0)));
    bought.push((7 * 24 * (WINDOWS + 2), "u1-0".to_owned(), id(0, 0)));
    bought.sort();
    documents.extend((0u32..).zip(bought).map(|(n, (hour, user, item))| {
        let at = at("2024-01-01T00:00:00Z").plus_millis(hour as i64 * 3_600_000);
        json!({ "interaction": { "id": format!("e{n}"), "user": user, "type": "purchase", "item": item, "at": at } })
    }));
    documents.iter().map(|document| format!("{document}\n")).collect()
}

fn replayed(changes: bool) -> Replay {
    let daemon = Daemon::start();
    let file = daemon.file("shop.ndjson", shop(changes));
    daemon.mercer_ok(&["import", "--format", "ndjson", &file]);
    daemon.embedded();
    let request = ReplayRequest {
        windows: Some(WINDOWS as u32),
        steps: Some(15),
        warm_steps: Some(15),
        seed: Some(7),
        ..ReplayRequest::default()
    };
    let run = daemon.ask(async |client| client.start_replay(&request).await).unwrap();
    let run = daemon.run_until(&run.id, "the replay ends", |run| run.state.is_final());
    assert_eq!(run.state, RunState::Succeeded, "{:?}: {}", run.error, daemon.log());
    let replay = daemon.ask(async |client| client.replay(&run.id).await).unwrap();
    assert_eq!(replay.window_days, 7, "windows are the weeks of the shop");
    replay
}

/// What new items F2 finds more than another arm: the mean difference, and the lower end of its interval.
fn gain(replay: &Replay, other: &str) -> (f64, f64) {
    let mut all = replay.differences.iter();
    let one = all.find(|d| d.mode == "new" && d.first == "F2" && d.second == other).unwrap();
    (one.difference, one.low)
}

#[test]
fn tuning_on_beats_tuning_once_and_a_placebo_where_taste_changes() {
    let replay = replayed(true);
    for other in ["F1", "P1"] {
        let (gain, low) = gain(&replay, other);
        assert!(gain > 0.005 && low > 0.0, "F2 less {other}: {gain} from {low}: {replay:?}");
    }
}

#[test]
fn where_nothing_changes_it_beats_neither() {
    let replay = replayed(false);
    for other in ["F1", "P1"] {
        let (_, low) = gain(&replay, other);
        assert!(low <= 0.0, "F2 less {other} from {low}: {replay:?}");
    }
}
