//! The ledger of private training: what each run spent, composed over all of them. It only grows: starting the adapter anew, erasing a
//! version or rolling back gives nothing back, because what was released stays released.
//!
//! A user's own cost is composed over the runs that could read its events: those whose data reach its first event. Users who were there
//! from the first run on have spent most, and the limit holds for them. So one list of runs serves everybody, and nothing about single
//! users is stored.
//!
//! A step is written to the store before it is taken. After a crash it counts, whether or not it was taken.

use mercer_reports::rdp::{Accountant, SampledGaussian};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{PrivacyGuarantee, PrivacySpending};
use mercer_store::{Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::config::PrivacyConfig;
use crate::state::problems::{Answer, internal, store_problem};

/// What each private run spent, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    entries: Vec<Entry>,
}

/// Steps of one run under one mechanism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run.
    pub run: String,
    /// When it booked its first step.
    pub at: Timestamp,
    /// Latest moment of the events that it read.
    pub until: Timestamp,
    /// Noise multiplier.
    pub noise: f64,
    /// Probability with which a user is drawn.
    pub rate: f64,
    /// Largest norm of a user's gradient.
    pub clip: f64,
    /// Divisor of the noisy sum.
    pub expected_batch: f64,
    /// Steps booked.
    pub steps: u64,
}

impl SettingDocument for Ledger {
    const SETTING: Setting = Setting::PrivacyLedger;
}

impl Entry {
    const fn step(&self) -> SampledGaussian {
        SampledGaussian { sampling: self.rate, noise: self.noise }
    }

    /// Whether both are steps of the same run by the same mechanism.
    fn continues(&self, other: &Self) -> bool {
        self.run == other.run
            && self.until == other.until
            && self.step() == other.step()
            && (self.clip, self.expected_batch) == (other.clip, other.expected_batch)
    }
}

/// Epsilon of what was spent.
fn epsilon(spent: &Accountant, delta: f64) -> Answer<f64> {
    Ok(spent.epsilon(delta).map_err(|e| internal(&e))?.epsilon)
}

impl Ledger {
    /// The ledger in the store.
    ///
    /// # Errors
    /// The store's. A ledger that cannot be read must stop private training, so there is no default for it.
    pub fn load(store: &Store) -> Answer<Self> {
        Ok(store.get_setting().map_err(|e| store_problem(&e))?.unwrap_or_default())
    }

    /// The runs, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Epsilon of a user who was there from the first run on: the most that anybody has spent.
    ///
    /// # Errors
    /// `internal` for a ledger with steps that cannot be accounted for.
    pub fn epsilon(&self, delta: f64) -> Answer<f64> {
        epsilon(&self.spent(|_| true)?, delta)
    }

    /// Epsilon of a user whose first event is of this moment.
    ///
    /// # Errors
    /// As [`Ledger::epsilon`].
    pub fn epsilon_of_user(&self, first_event: Timestamp, delta: f64) -> Answer<f64> {
        epsilon(&self.spent(|entry| entry.until >= first_event)?, delta)
    }

    fn spent(&self, counts: impl Fn(&Entry) -> bool) -> Answer<Accountant> {
        let mut all = Accountant::new();
        for entry in self.entries.iter().filter(|entry| counts(entry)) {
            all.add(entry.step(), entry.steps).map_err(|e| internal(&e))?;
        }
        Ok(all)
    }

    /// The state of the budget for status and reports.
    ///
    /// # Errors
    /// As [`Ledger::epsilon`].
    pub fn spending(&self, config: &PrivacyConfig) -> Answer<PrivacySpending> {
        Ok(PrivacySpending {
            epsilon: self.epsilon(config.delta)?,
            limit: config.epsilon,
            delta: config.delta,
            unit: UNIT.to_owned(),
            accountant: ACCOUNTANT.to_owned(),
            runs: self.entries.len() as u64,
            steps: self.entries.iter().map(|entry| entry.steps).sum(),
        })
    }
}

/// Whose data the guarantee hides.
pub const UNIT: &str = "user";
/// Name of the accountant in documents.
pub const ACCOUNTANT: &str = "rdp, integer orders 2 to 1024";

/// The budget of one run: books its steps until the limit is reached.
pub struct RunBudget<'a> {
    store: &'a Store,
    config: &'a PrivacyConfig,
    ledger: Ledger,
    /// Place of this run's entry in the ledger once it has booked a step.
    place: Option<usize>,
    entry: Entry,
    /// Everything that is booked, by any run.
    spent: Accountant,
}

impl<'a> RunBudget<'a> {
    /// Opens the ledger for a run. `entry` says what a step is; steps that this run booked before an interruption are found again.
    ///
    /// # Errors
    /// The store's; `internal` as [`Ledger::epsilon`].
    pub fn open(store: &'a Store, config: &'a PrivacyConfig, entry: Entry) -> Answer<Self> {
        let ledger = Ledger::load(store)?;
        let place = ledger.entries.iter().position(|one| one.continues(&entry));
        let spent = ledger.spent(|_| true)?;
        Ok(Self { store, config, ledger, place, entry: Entry { steps: 0, ..entry }, spent })
    }

    /// Steps that the limit still allows. None without noise: such a step has no epsilon.
    #[must_use]
    pub fn steps_left(&self) -> u64 {
        self.spent.steps_left(self.entry.step(), self.config.delta, self.config.epsilon).unwrap_or(0)
    }

    /// Books one step and writes it; `false`, with nothing booked, if the limit does not allow it.
    ///
    /// # Errors
    /// The store's; nothing is booked then.
    pub fn book(&mut self) -> Answer<bool> {
        let mut spent = self.spent.clone();
        if spent.add(self.entry.step(), 1).is_err() || epsilon(&spent, self.config.delta)? > self.config.epsilon {
            return Ok(false);
        }
        let mut ledger = self.ledger.clone();
        let place = self.place.unwrap_or_else(|| {
            ledger.entries.push(self.entry.clone());
            ledger.entries.len() - 1
        });
        ledger.entries[place].steps += 1;
        self.store.put_setting(&ledger).map_err(|e| store_problem(&e))?;
        (self.ledger, self.place, self.spent) = (ledger, Some(place), spent);
        Ok(true)
    }

    /// Epsilon of all that is booked.
    ///
    /// # Errors
    /// As [`Ledger::epsilon`].
    pub fn epsilon(&self) -> Answer<f64> {
        epsilon(&self.spent, self.config.delta)
    }

    /// What is guaranteed about this run's adapter, all runs so far included.
    ///
    /// # Errors
    /// As [`Ledger::epsilon`].
    pub fn guarantee(&self) -> Answer<PrivacyGuarantee> {
        let own = self.place.map_or(&self.entry, |place| &self.ledger.entries[place]);
        let mut alone = Accountant::new();
        alone.add(own.step(), own.steps).map_err(|e| internal(&e))?;
        Ok(PrivacyGuarantee {
            unit: UNIT.to_owned(),
            covers: "the encoder's adapter; not the ranker, the collaborative index, calibration, the gate's metrics, nor the choice of \
                     versions by them"
                .to_owned(),
            noise: own.noise,
            rate: own.rate,
            clip: own.clip,
            expected_batch: own.expected_batch,
            steps: own.steps,
            delta: self.config.delta,
            sampler: "poisson".to_owned(),
            accountant: ACCOUNTANT.to_owned(),
            epsilon: epsilon(&alone, self.config.delta)?,
            epsilon_total: self.epsilon()?,
            limit: self.config.epsilon,
        })
    }
}

/// Refuses private training where not even one step is left.
///
/// # Errors
/// `privacy-budget-spent`, or the store's.
pub fn check_budget(store: &Store, config: &PrivacyConfig, step: SampledGaussian) -> Answer<()> {
    let spent = Ledger::load(store)?.spent(|_| true)?;
    let mut next = spent.clone();
    next.add(step, 1).map_err(|e| internal(&e))?;
    let next = epsilon(&next, config.delta)?;
    if next <= config.epsilon {
        return Ok(());
    }
    Err(Problem::new(
        Code::PrivacyBudgetSpent,
        format!(
            "one more step of private training would cost users epsilon {next:.4} in all at delta {}, {:.4} is spent and the limit is {}",
            config.delta,
            epsilon(&spent, config.delta)?,
            config.epsilon
        ),
    ))
}

#[cfg(test)]
mod tests {
    use mercer_store::Key;

    use super::*;

    fn config(epsilon: f64) -> PrivacyConfig {
        PrivacyConfig { epsilon, ..PrivacyConfig::default() }
    }

    fn entry(run: &str, until: i64) -> Entry {
        Entry {
            run: run.to_owned(),
            at: Timestamp::at(5),
            until: Timestamp::at(until),
            noise: 1.0,
            rate: 0.05,
            clip: 1.0,
            expected_batch: 64.0,
            steps: 0,
        }
    }

    fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap()
    }

    #[test]
    fn steps_are_booked_up_to_the_limit_and_none_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let (store, config) = (store(&dir), config(3.0));
        let mut budget = RunBudget::open(&store, &config, entry("r1", 100)).unwrap();
        let left = budget.steps_left();
        assert!(left > 3 && left < 10_000, "{left}");
        for _ in 0..left {
            assert!(budget.book().unwrap());
        }
        assert!(!budget.book().unwrap());
        let ledger = Ledger::load(&store).unwrap();
        assert_eq!((ledger.entries().len(), ledger.entries()[0].steps), (1, left));
        let guarantee = budget.guarantee().unwrap();
        assert_eq!((guarantee.steps, guarantee.epsilon), (left, guarantee.epsilon_total));
        assert!(guarantee.epsilon <= 3.0 && ledger.epsilon(config.delta).unwrap() == guarantee.epsilon);
        let step = SampledGaussian { noise: 1.0, sampling: 0.05 };
        assert_eq!(check_budget(&store, &config, step).unwrap_err().code, Code::PrivacyBudgetSpent);
        // Far more noise still fits: the limit is on epsilon, not on runs.
        assert!(check_budget(&store, &config, SampledGaussian { noise: 1_000.0, sampling: 0.001 }).is_ok());
    }

    #[test]
    fn what_was_spent_survives_a_restart_and_starting_anew() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(3.0);
        let opened = store(&dir);
        let mut budget = RunBudget::open(&opened, &config, entry("r1", 100)).unwrap();
        let all = budget.steps_left();
        (0..3).for_each(|_| assert!(budget.book().unwrap()));
        drop(opened);
        let store = store(&dir);
        // The same run goes on in its own entry.
        let mut again = RunBudget::open(&store, &config, entry("r1", 100)).unwrap();
        assert_eq!(again.steps_left(), all - 3);
        assert!(again.book().unwrap());
        assert_eq!(again.guarantee().unwrap().steps, 4);
        // Another run, from the base: the limit is what is left.
        let mut anew = RunBudget::open(&store, &config, entry("r2", 200)).unwrap();
        assert_eq!(anew.steps_left(), all - 4);
        assert!(anew.book().unwrap());
        let guarantee = anew.guarantee().unwrap();
        assert!(guarantee.steps == 1 && guarantee.epsilon_total > guarantee.epsilon);
        assert_eq!(Ledger::load(&store).unwrap().entries().iter().map(|e| e.steps).collect::<Vec<_>>(), [4, 1]);
    }

    #[test]
    fn a_user_pays_for_the_runs_since_its_first_event() {
        let dir = tempfile::tempdir().unwrap();
        let (store, config) = (store(&dir), config(8.0));
        for (run, until) in [("r1", 100), ("r2", 200)] {
            let mut budget = RunBudget::open(&store, &config, entry(run, until)).unwrap();
            (0..5).for_each(|_| assert!(budget.book().unwrap()));
        }
        let ledger = Ledger::load(&store).unwrap();
        let of = |first| ledger.epsilon_of_user(Timestamp::at(first), config.delta).unwrap();
        assert_eq!(of(50), ledger.epsilon(config.delta).unwrap());
        assert!(of(150) < of(50) && of(150) > 0.0);
        assert_eq!(of(300), 0.0);
        let spending = ledger.spending(&config).unwrap();
        assert_eq!((spending.runs, spending.steps, spending.epsilon), (2, 10, of(0)));
    }

    #[test]
    fn no_noise_is_never_booked() {
        let dir = tempfile::tempdir().unwrap();
        let (store, config) = (store(&dir), config(1e6));
        let bare = Entry { noise: 0.0, ..entry("r1", 100) };
        let mut budget = RunBudget::open(&store, &config, bare).unwrap();
        assert!(!budget.book().unwrap());
        assert_eq!(Ledger::load(&store).unwrap(), Ledger::default());
    }
}
