//! Interleaves the lists of two versions by team draft (METRICS.md section 2).

use mercer_reports::interleave::{Team, team_draft};
use mercer_shared::wire::{ListItem, ServedList};
use rand::{Rng, RngExt};

/// The name that an interleaved list carries as its model.
#[must_use]
pub fn name(serving: &str, other: &str) -> String {
    format!("{serving}+{other}")
}

/// One list of `k` from both versions' lists; each row keeps the score of its own version and says whose it is. Mitigations and rules were
/// part of each version's list.
#[must_use]
pub fn interleave(serving: ServedList, other: &ServedList, k: usize, rng: &mut impl Rng) -> ServedList {
    let ids = |list: &ServedList| list.items.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    let drafted = team_draft(&ids(&serving), &ids(other), k, || if rng.random_bool(0.5) { Team::A } else { Team::B });
    let row_of = |list: &ServedList, id| list.items.iter().find(|row| row.id == id).cloned();
    let row = |(id, team)| {
        let (list, number) = match team {
            Team::A => (&serving, 0),
            Team::B => (other, 1),
        };
        Some(ListItem { team: Some(number), ..row_of(list, id)? })
    };
    let items = drafted.into_iter().filter_map(row).collect();
    ServedList { model: name(&serving.model, &other.model), items, ..serving }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn list(model: &str, ids: &[&str]) -> ServedList {
        let rows: Vec<String> =
            ids.iter().map(|id| format!(r#"{{"id":"{id}","title":"{model}","score":1,"parts":[]}}"#)).collect();
        let text = format!(r#"{{"query_id":"q","model":"{model}","items":[{}],"took_us":1}}"#, rows.join(","));
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn both_versions_get_equally_many_rows_and_none_twice() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mine, theirs) = (list("v1", &["a", "b", "c", "d"]), list("v2", &["c", "e", "a", "f"]));
        for _ in 0..50 {
            let both = interleave(mine.clone(), &theirs, 4, &mut rng);
            assert_eq!(both.model, "v1+v2");
            let teams: Vec<u8> = both.items.iter().filter_map(|row| row.team).collect();
            assert_eq!(teams.iter().filter(|team| **team == 1).count(), 2);
            let mut ids: Vec<_> = both.items.iter().map(|row| row.id.clone()).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), 4);
            assert!(both.items.iter().all(|row| row.title == if row.team == Some(0) { "v1" } else { "v2" }));
        }
    }
}
