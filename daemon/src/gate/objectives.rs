//! The objectives of the gate: lists of all items, lists of novel items, and search, each with its share of the shop's
//! traffic.

use mercer_reports::GateOptions;

use crate::gate::evaluate::Evaluated;

/// Sources of engagement. The log does not say which lists were served, so traffic is counted by what users engaged
/// with in the evaluation window: a user's item counts once, as found by search if any of the user's engagements with
/// it followed a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Items that followed a query.
    pub(crate) searched: u64,
    /// Items that followed none.
    pub(crate) listed: u64,
    /// Users with a query that led to an item.
    pub(crate) searching_users: usize,
}

impl Traffic {
    /// Share of search, between 0 and 1; 0 of nothing.
    pub(crate) fn search_share(&self) -> f64 {
        self.searched as f64 / (self.searched + self.listed).max(1) as f64
    }
}

/// One objective with the values of candidate and incumbent for the same users.
#[derive(Debug, Clone)]
pub(crate) struct Objective<'a> {
    /// Its slice, as the wire calls it.
    pub(crate) slice: &'static str,
    /// Share of the traffic.
    pub(crate) share: f64,
    /// The candidate's NDCG@10 of each user.
    pub(crate) candidate: &'a [f64],
    /// The incumbent's.
    pub(crate) incumbent: &'a [f64],
    /// Why it does not count; `None` where it does.
    pub(crate) left_out: Option<String>,
}

impl Objective<'_> {
    /// Whether the gate decides on it.
    pub(crate) const fn counts(&self) -> bool {
        self.left_out.is_none()
    }

    /// Whether any user's value differs. Without that, neither version can be better.
    pub(crate) fn differs(&self) -> bool {
        self.candidate != self.incumbent
    }
}

/// Share of novel items among what users took from lists. It divides the traffic of lists between novel and all items.
fn novel_share(evaluated: &Evaluated) -> f64 {
    let taken = |truth: &[Vec<u32>]| truth.iter().map(Vec::len).sum::<usize>() as f64;
    (taken(&evaluated.novel.truth) / taken(&evaluated.all.truth).max(1.0)).min(1.0)
}

/// The objectives by descending traffic. Objectives with too few users are left out.
pub(crate) fn objectives<'a>(
    candidate: &'a Evaluated,
    incumbent: &'a Evaluated,
    traffic: &Traffic,
) -> Vec<Objective<'a>> {
    let least = GateOptions::default().min_users;
    let few = |users: usize| (users < least).then(|| format!("{users} users, at least {least} are needed"));
    let (search, novel) = (traffic.search_share(), novel_share(candidate));
    let same_vectors =
        || candidate.search.is_empty().then(|| "both versions search with the same vectors of texts".to_owned());
    let mut all = vec![
        Objective {
            slice: "repeat",
            share: (1.0 - search) * (1.0 - novel),
            candidate: &candidate.all.ndcg,
            incumbent: &incumbent.all.ndcg,
            left_out: few(candidate.all.ndcg.len()),
        },
        Objective {
            slice: "new",
            share: (1.0 - search) * novel,
            candidate: &candidate.novel.ndcg,
            incumbent: &incumbent.novel.ndcg,
            left_out: few(candidate.novel.ndcg.len()),
        },
        Objective {
            slice: "search",
            share: search,
            candidate: &candidate.search,
            incumbent: &incumbent.search,
            left_out: few(traffic.searching_users).or_else(same_vectors),
        },
    ];
    all.sort_by(|a, b| b.share.total_cmp(&a.share));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::window_lists::Lists;

    fn lists(users: usize, taken: usize, ndcg: f64) -> Lists {
        Lists {
            users: (0..users as u32).collect(),
            truth: vec![(0..taken as u32).collect(); users],
            lists: vec![Vec::new(); users],
            ndcg: vec![ndcg; users],
        }
    }

    fn evaluated(ndcg: f64, search: Vec<f64>) -> Evaluated {
        Evaluated { all: lists(100, 4, ndcg), novel: lists(50, 2, ndcg), search, cold: Vec::new() }
    }

    #[test]
    fn traffic_divides_between_search_and_lists_and_lists_by_what_was_taken() {
        let traffic = Traffic { searched: 90, listed: 10, searching_users: 40 };
        let (mine, theirs) = (evaluated(0.5, vec![0.6; 40]), evaluated(0.5, vec![0.5; 40]));
        let all = objectives(&mine, &theirs, &traffic);
        let slices: Vec<&str> = all.iter().map(|one| one.slice).collect();
        assert_eq!(slices, ["search", "repeat", "new"], "most traffic first");
        let share = |n: usize| (all[n].share * 1_000.0).round();
        assert_eq!([share(0), share(1), share(2)], [900.0, 75.0, 25.0]);
        assert!(all.iter().all(Objective::counts));
        assert!(all[0].differs() && !all[1].differs());
        assert_eq!(Traffic::default().search_share(), 0.0);
    }

    #[test]
    fn an_objective_that_cannot_be_measured_says_why() {
        let few = Traffic { searched: 9, listed: 1, searching_users: 9 };
        let (mine, theirs) = (evaluated(0.5, Vec::new()), evaluated(0.5, Vec::new()));
        let reason = |traffic: &Traffic| {
            let all = objectives(&mine, &theirs, traffic);
            all.iter().find(|one| one.slice == "search").and_then(|one| one.left_out.clone()).unwrap()
        };
        assert!(reason(&few).contains("9 users"), "{}", reason(&few));
        let many = Traffic { searching_users: 900, ..few };
        assert!(reason(&many).contains("same vectors"), "{}", reason(&many));
    }
}
