//! The quality report: accuracy on what shoppers took later, beside popularity (METRICS.md section 1).

use mercer_rank::Mode;
use mercer_shared::wire::{Report, ReportRow};

use crate::reports::evaluated::{Arm, Evaluated};
use crate::reports::impressions;
use crate::reports::rows::{METRICS, paired_row};
use crate::reports::window_lists::Lists;
use crate::state::problems::Answer;
use crate::state::report_cache::PerUserSeries;

/// Lists of one kind: the model's and, of the same users, those of popularity.
struct Slice<'a> {
    name: &'static str,
    label: &'static str,
    mine: &'a Lists,
    popular: &'a Lists,
}

/// Rows and the values per user that they rest on.
///
/// # Errors
/// As [`Evaluated::lists`].
pub(crate) fn rows(evaluated: &Evaluated<'_>, report: &mut Report) -> Answer<Vec<PerUserSeries>> {
    let new = evaluated.lists(Mode::Novel, Arm::Version)?;
    let new_popular = evaluated.lists(Mode::Novel, Arm::Popularity)?;
    let slices = [
        Slice { name: "repeat", label: "all items", mine: &evaluated.any, popular: &evaluated.popular },
        Slice { name: "new", label: "novel items", mine: &new, popular: &new_popular },
    ];
    let total = evaluated.any.users.len() as u64;
    let mut per_user = Vec::new();
    for Slice { name: slice, label, mine, popular } in slices {
        for (name, formula, value) in METRICS {
            let of = |lists: &Lists| -> Vec<f64> { (0..lists.users.len()).map(|user| value(lists, user)).collect() };
            let (values, popular) = (of(mine), of(popular));
            let row_name = format!("{name}/{slice}");
            let row = paired_row(&row_name, &format!("{name}, {label}"), &values, &popular, formula);
            let number = (row_name == "ndcg@10/repeat").then_some(1);
            // Users without a purchase that counts have nothing to find, and no value.
            report.rows.push(ReportRow { number, n_total: Some(total), ..row });
            per_user.push(PerUserSeries { name: row_name, users: mine.users.clone(), values });
        }
    }
    impressions::rows(evaluated, report)?;
    Ok(per_user)
}
