//! The epsilon that exports of a day may spend together. It is durable before anything is released, so that a restart refunds nothing.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::DAY_MS;
use mercer_store::{Setting, SettingDocument, Store};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::state::problems::{Answer, store_problem};

/// Two exports at once must not both read the same sum.
static SPENDING: Mutex<()> = Mutex::new(());

/// A difference that rounding makes.
const ROUNDING: f64 = 1e-9;

/// What exports have spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExportBudget {
    /// Day in UTC, since 1970.
    pub(crate) day: i64,
    /// Epsilon spent on that day.
    pub(crate) spent: f64,
    /// Epsilon spent since the installation began: what all exports together reveal of one user, by composition.
    pub(crate) total: f64,
}

impl SettingDocument for ExportBudget {
    const SETTING: Setting = Setting::ExportBudget;
}

/// Spends epsilon of the day's budget; returns the new sums.
///
/// # Errors
/// `export-budget-spent` where less than `epsilon` is left; nothing is spent then.
pub(crate) fn spend(store: &Store, epsilon: f64, daily: f64, now_ms: i64) -> Answer<ExportBudget> {
    let _one = SPENDING.lock();
    let mut budget: ExportBudget = store.get_setting().map_err(|e| store_problem(&e))?.unwrap_or_default();
    let today = now_ms.div_euclid(DAY_MS);
    // A clock that went back gives nothing back.
    if today > budget.day {
        (budget.day, budget.spent) = (today, 0.0);
    }
    if budget.spent + epsilon > daily + ROUNDING {
        let left = (daily - budget.spent).max(0.0);
        return Err(Problem::new(
            Code::ExportBudgetSpent,
            format!("an export takes epsilon {epsilon}, of {daily} a day {left:.3} are left until midnight UTC"),
        ));
    }
    budget.spent += epsilon;
    budget.total += epsilon;
    store.put_setting(&budget).map_err(|e| store_problem(&e))?;
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use mercer_store::Key;

    use super::*;

    #[test]
    fn a_spent_budget_refuses_until_the_next_day_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
        let store = open();
        let day = 20_000 * DAY_MS;
        assert_eq!(spend(&store, 1.0, 2.0, day).unwrap().spent, 1.0);
        assert_eq!(spend(&store, 1.0, 2.0, day + 5).unwrap().spent, 2.0);
        drop(store);
        let store = open();
        assert_eq!(spend(&store, 0.1, 2.0, day + 9).unwrap_err().code, Code::ExportBudgetSpent);
        assert_eq!(
            spend(&store, 0.1, 2.0, day - DAY_MS).unwrap_err().code,
            Code::ExportBudgetSpent,
            "the clock went back"
        );
        let next = spend(&store, 1.0, 2.0, day + DAY_MS).unwrap();
        assert_eq!((next.spent, next.total), (1.0, 3.0));
    }

    #[test]
    fn a_budget_of_nothing_refuses_everything() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
        assert_eq!(spend(&store, 0.5, 0.0, 0).unwrap_err().code, Code::ExportBudgetSpent);
    }
}
