//! The alpha that gates may spend, per period: the probability of any false promotion within a period stays below the
//! total (METRICS.md section 2).

use mercer_reports::{AlphaLedger, Spending};
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::AlphaSpending;
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::config::GateConfig;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;

/// A period and what its gates have spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Period {
    #[serde(default)]
    from: Timestamp,
    #[serde(flatten)]
    ledger: AlphaLedger,
    /// The run that booked last, and what it got.
    #[serde(default)]
    last: Option<(String, Option<f64>)>,
}

impl SettingDocument for Period {
    const SETTING: Setting = Setting::AlphaLedger;
}

impl Period {
    fn new(from: Timestamp, config: &GateConfig) -> Self {
        Self { from, ledger: AlphaLedger::new(config.alpha, Spending::Slow), last: None }
    }

    fn until(&self, config: &GateConfig) -> Timestamp {
        self.from.plus_millis(i64::from(config.period_days) * DAY_MS)
    }

    fn book(&mut self, run: &str) -> Option<f64> {
        if let Some((_, alpha)) = self.last.as_ref().filter(|(last, _)| last == run) {
            return *alpha;
        }
        let alpha = self.ledger.book();
        self.last = Some((run.to_owned(), alpha));
        alpha
    }

    /// The current period, or a new one if it is over or the operator has changed the total.
    fn at(self, now: Timestamp, config: &GateConfig) -> Self {
        let over = now >= self.until(config) || now < self.from;
        if over || self.ledger.total.to_bits() != config.alpha.to_bits() { Self::new(now, config) } else { self }
    }
}

/// The next part of alpha (`None` when nothing is left) and the state of the period. A resumed run that had passed its
/// gate gets the same part again.
///
/// # Errors
/// The store's.
pub(crate) fn book(app: &App, run: &str) -> Answer<(Option<f64>, AlphaSpending)> {
    let (now, config) = (Timestamp::now(), &app.config.gate);
    let kept: Option<Period> = app.store.get_setting().map_err(|e| store_problem(&e))?;
    let mut period = kept.map_or_else(|| Period::new(now, config), |kept| kept.at(now, config));
    let alpha = period.book(run);
    app.store.put_setting(&period).map_err(|e| store_problem(&e))?;
    let state = AlphaSpending {
        from: period.from,
        until: period.until(config),
        gates: period.ledger.gates,
        spent: period.ledger.spent,
        total: period.ledger.total,
    };
    Ok((alpha, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_keeps_its_ledger_and_a_new_one_starts_afresh() {
        let config = GateConfig { period_days: 30, ..GateConfig::default() };
        let begin = Timestamp::at(20_000 * DAY_MS);
        let day = |n: i64| begin.plus_millis(n * DAY_MS);
        let mut period = Period::new(begin, &config);
        let first = period.book("r1");
        assert_eq!(period.book("r1"), first, "a run that goes on gets what it had");
        period = period.at(day(29), &config);
        assert_eq!(period.ledger.gates, 1);
        assert!(period.book("r2") < first, "later gates get less");
        period = period.at(day(30), &config);
        assert_eq!((period.from, period.ledger.gates), (day(30), 0));
        assert_eq!(period.book("r3"), first);
        let other = GateConfig { alpha: 0.01, ..config };
        assert_eq!(period.clone().at(day(31), &other).ledger.total, 0.01);
        let text = serde_json::to_string(&period).unwrap();
        assert_eq!(serde_json::from_str::<Period>(&text).unwrap(), period);
    }
}
