//! Configuration: where things are, how much training may take, who may change things. One TOML file; the command line names the
//! state directory and the socket. A new key is one line here: `MERCER_WRITE_DOCS=1 cargo test -p mercer-daemon docs` writes the
//! reference page anew.

use std::path::{Path, PathBuf};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{OnHarm, OutOfStock, ReportKind, Tuning};
use serde::{Deserialize, Serialize};

use crate::state::settings::Limits::{AboveUpTo, AtLeast, Within};
use crate::state::settings::settings;
use crate::state::shop::sensitive::Lexicon;

pub use crate::state::personal_data::{ConsentConfig, EraseConfig, RetentionConfig, SensitiveHistory};

settings! {
    /// Everything that can be set. Unknown keys are refused.
    pub struct Config in "" {
        /// State directory. Without it: `/var/lib/mercer` for root, `$XDG_DATA_HOME/mercer` or `~/.local/share/mercer` for others.
        state: PathBuf = mercer_shared::socket::default_state(), like "\"/var/lib/mercer\"";
        /// Path of the socket. Without it: `mercer.sock` in the state directory if one is named, else `/run/mercer/mercer.sock` for root
        /// and `$XDG_RUNTIME_DIR/mercer/mercer.sock` for others.
        socket: PathBuf = PathBuf::new(), like "\"/run/mercer/mercer.sock\"";
        /// Numeric id of a group. A process whose primary group it is may change things, beside root and the daemon's own user. Everybody
        /// who can open the socket may read.
        operator_group: Option<u32> = None, like "990";
        /// Numeric id of a group. A process whose primary group it is may read what shoppers declared of themselves (attributes), and their
        /// ids. Root and the daemon's own user may as well.
        audit_group: Option<u32> = None, like "991";
        /// Directory with further import presets (`NAME.toml`); `data/presets` shows what they look like.
        presets: Option<PathBuf> = None, like "\"/etc/mercer/presets\"";
    }
    sections {
        /// Training.
        train: TrainConfig;
        /// Serving.
        serve: ServeConfig;
        /// The gate that candidates pass.
        gate: GateConfig;
        /// Reports.
        reports: ReportsConfig;
        /// Consent of those who say nothing.
        consent: ConsentConfig;
        /// Erasures.
        erase: EraseConfig;
        /// How long interactions are kept.
        retention: RetentionConfig;
        /// What profiling leaves out, and differentially private fine-tuning of the encoder.
        privacy: PrivacyConfig;
    }
}

/// How the encoder's loss treats popular items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PopularityDebias {
    /// As they come.
    #[default]
    None,
    /// The logarithm of an item's share of the examples is subtracted from its score (logQ, Yi et al., RecSys 2019).
    Logq,
}

settings! {
    /// When and how long to train.
    pub struct TrainConfig in "train" {
        /// Seconds between scheduled cycles; 0 turns the schedule off. A cycle without new interactions is skipped.
        every_seconds: u64 = 24 * 3600;
        /// New interactions that start a cycle; 0 turns this off.
        after_interactions: u64 = 50_000;
        /// Seconds that a whole cycle is planned to take. The encoder gets what replaying the log, evaluation and embedding leave.
        budget_seconds: u64 = 1800;
        /// How the encoder is fine-tuned: "lora", "adalora" (ranks go to the layers where they matter) or "full" (all weights of the upper
        /// layers).
        tuning: Tuning = Tuning::Lora;
        /// Whether a candidate that passes the gate is promoted without asking.
        promote: bool = true;
        /// Steps between checkpoints. A crash loses at most this many steps.
        checkpoint_steps: u64 = 50;
        /// Share of old examples that the encoder sees again among the new ones; 0.2 to 0.5 is usual.
        replay: f64 = 0.3, in Within(0.0, 0.9);
        /// Most interactions of one shopper that the encoder learns from: the latest; 0 sets no limit. With a limit, a few heavy shoppers
        /// count less.
        cap_per_user: usize = 0;
        /// How often the encoder sees an example whose item belongs to the long tail (beyond the items that cover 80 % of the examples); 1
        /// is as often as others.
        tail_oversampling: f64 = 1.0, in Within(1.0, 10.0);
        /// Declared attribute whose groups weigh alike in the losses of the encoder and the ranker, such as "region"; empty weighs every
        /// example alike. A weight is at most 10 average ones. Shoppers who declared nothing, or did not open it to audits, are a group of
        /// their own.
        group_weights: String = String::new();
        /// "logq" keeps the encoder's loss from pushing popular items away for being popular among negatives; "none" leaves it as it is.
        popularity_debias: PopularityDebias = PopularityDebias::None;
        /// Seed of everything random.
        seed: u64 = 42;
        /// Model versions that are kept beside the serving version and the pinned ones.
        keep_versions: usize = 3;
    }
}

settings! {
    /// Limits of serving, and how a new version is rolled out.
    pub struct ServeConfig in "serve" {
        /// Requests that are processed at once; more are answered 429.
        concurrency: usize = 64, in AtLeast(1.0);
        /// Queries that may wait for the encoder; more are answered 429.
        queue: usize = 256, in AtLeast(1.0);
        /// Milliseconds in which the cross-encoder (`mercer train --model pair`) may re-score the head of a list, as many rows as fit; 0
        /// turns it off. It stays off where re-scoring was not better on later events.
        pair_budget_ms: u64 = 0;
        /// Milliseconds that the search for the reasons of one list may take (`reasons=true`). The answer says how much of the shopper's
        /// history was tried in that time.
        explain_ms: u64 = 2000, in AtLeast(1.0);
        /// Share of the shoppers that a version that passed the gate answers first; 0 lets it serve everybody at once. The same shoppers
        /// each time.
        canary_share: f64 = 0.0, in Within(0.0, 0.5);
        /// Hours for which a version on trial answers its share before it serves everybody. If it breaks a guardrail (errors, latency,
        /// scores that are not numbers, the share of the catalogue that is shown, what shoppers take), it stops answering.
        canary_hours: f64 = 24.0, in AtLeast(0.0);
        /// Hours after an automatic promotion in which a broken guardrail brings back the version before.
        grace_hours: f64 = 24.0, in AtLeast(0.0);
        /// What lists and searches do with items that are out of stock: "hide" leaves them out, "demote" lists them after all items in
        /// stock, "show" lists them like the others. A request may say otherwise (`out_of_stock=show`). An item without stock information
        /// counts as in stock.
        out_of_stock: OutOfStock = OutOfStock::Hide;
        /// Places at the end of each recommendation list that are filled at random from the items below, at most half of a list; 0 explores
        /// nothing. What other versions would have earned can be estimated from them (`mercer counterfactual`), at the price of weaker
        /// rows there.
        explore_slots: usize = 0;
        /// Items that an explored place is drawn from.
        explore_pool: usize = 20, in Within(2.0, 200.0);
        /// Days for which served lists are kept, for counting what was really shown. They are erased with their user.
        log_days: u32 = 30, in Within(1.0, 3650.0);
    }
}

settings! {
    /// How often the gate may promote by chance, and the shoppers who are held out.
    pub struct GateConfig in "gate" {
        /// Error probability of all gates of a period together: the chance of even one false promotion. Each period begins with all of it.
        alpha: f64 = 0.05, in AboveUpTo(0.0, 0.5);
        /// Days of a period.
        period_days: u32 = 90, in AtLeast(1.0);
        /// Share of the shoppers who are held out of training and gate; 0 holds nobody out.
        holdout: f64 = 0.05, in Within(0.0, 0.5);
        /// Shoppers that a shop needs before anybody is held out. With fewer, the share would be too small to show anything.
        holdout_shoppers: usize = 10_000;
        /// Promotions between two evaluations on those who are held out; 0 evaluates on request only (`mercer train --holdout`).
        holdout_every: u64 = 5;
        /// What happens to a candidate that passes and harms a group of shoppers or the variety of what is shown: "ask" lets it wait for
        /// the operator, who may promote it, "refuse" rejects it. Either way the decision has the numbers.
        on_harm: OnHarm = OnHarm::Ask;
        /// Loss of NDCG@10 that is tolerated in a group of shoppers: by length of history always, by declared and consented attributes in
        /// groups of at least 400.
        group_margin: f64 = 0.01, in AboveUpTo(0.0, 1.0);
        /// Loss of coverage, effective items, exposure of the long tail and evenness of exposure that is tolerated, as a share of what the
        /// serving version has.
        diversity_margin: f64 = 0.1, in AboveUpTo(0.0, 1.0);
    }
}

settings! {
    /// What the reports compare.
    pub struct ReportsConfig in "reports" {
        /// Declared attributes by which the fairness report compares shoppers, such as ["gender", "age_band", "region"]. Empty means all
        /// that are declared with at least two values. Shoppers who did not agree to audits count as `unknown`.
        protected: Vec<String> = Vec::new();
        /// Reports that are computed and stored every night, such as ["fairness", "diversity"].
        nightly: Vec<ReportKind> = Vec::new();
        /// Hour of the day (UTC) from which the nightly reports are computed.
        nightly_hour: u32 = 3, in Within(0.0, 23.0);
        /// Epsilon of the counts of one exported report, for a user as the unit: smaller is more noise. Exports of exact numbers are for
        /// operators.
        export_epsilon: f64 = 1.0, in AboveUpTo(0.0, 10.0);
        /// Epsilon that all exports of a day (UTC) may spend together; when it is spent, exports are refused until the next day.
        export_budget: f64 = 10.0, in AtLeast(0.0);
    }
}

settings! {
    /// Differentially private fine-tuning of the encoder (DP-SGD): no shopper's behaviour shows in the adapter beyond (epsilon, delta). The
    /// guarantee covers the adapter alone; the ranker and the collaborative index are fitted without noise.
    pub struct PrivacyConfig in "privacy" {
        /// Who sees the ids of shoppers where shoppers are listed: "operators" (and the audit role), or "audit" for that role only. Others
        /// see pseudonyms, by which everything can be asked as well. An operator can reveal one id (`mercer user reveal PSEUDONYM`), which
        /// is audited. Asking by a known id always works.
        show_ids: ShowIds = ShowIds::Operators;
        /// Most that all private runs together may cost a shopper. 0 trains without noise, and nothing is guaranteed. Once it is spent, the
        /// adapter stays as it is; starting it anew gives nothing back.
        epsilon: f64 = 0.0, in Within(0.0, 1e9);
        /// Probability with which the guarantee may fail; well below one over the number of shoppers.
        delta: f64 = 1e-6, in AboveUpTo(0.0, 0.1);
        /// Noise multiplier: more noise costs less epsilon and teaches less.
        noise: f64 = 1.0, in AboveUpTo(0.0, 1000.0);
        /// Largest norm of the gradient of one shopper.
        clip: f64 = 1.0, in AboveUpTo(0.0, 1e6);
        /// Shoppers that a step draws on average. The noisy sum is divided by it, so it has to be a constant.
        expected_batch: f64 = 64.0, in Within(1.0, 1e6);
        /// Probability with which a step draws each shopper. 0 takes `expected_batch` over the number of shoppers, rounded down to a power of
        /// two: then that order of magnitude counts as public.
        rate: f64 = 0.0, in Within(0.0, 1.0);
        /// Steps of a run.
        steps: u64 = 100, in Within(1.0, 1e6);
        /// Examples of one shopper in a step, at most.
        pairs_per_user: usize = 2, in Within(1.0, 1000.0);
        /// Peak learning rate.
        learning_rate: f64 = 0.001, in AboveUpTo(0.0, 1.0);
        /// Whether a cycle's candidate has the private adapter even where the base encoder made better lists on the window. That comparison
        /// reads shoppers' data outside the guarantee; the gate does so in any case.
        always_serve: bool = false;
        /// "exclude" leaves events with items and searches of sensitive categories (health, sex life, religion, politics, trade unions,
        /// origin) out of lists, interests and models; "include" uses them like all others. The log keeps them either way. An item's
        /// attribute `sensitive` (yes, no) goes before the lexicon.
        sensitive: SensitiveHistory = SensitiveHistory::Exclude;
        /// File with the terms of sensitive categories in place of the one that ships (`data/privacy/sensitive.toml`).
        lexicon: Option<PathBuf> = None, like "\"/etc/mercer/sensitive.toml\"";
    }
}

impl PrivacyConfig {
    /// Whether the encoder is tuned privately.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.epsilon > 0.0
    }

    /// Probability with which a step draws each of so many users.
    #[must_use]
    pub fn rate_of(&self, users: usize) -> f64 {
        if self.rate > 0.0 {
            return self.rate;
        }
        let rounded = users.checked_ilog2().map_or(1, |power| 1usize << power);
        (self.expected_batch / rounded as f64).min(1.0)
    }
}

impl PrivacyConfig {
    /// The lexicon in force; none where nothing is left out.
    ///
    /// # Errors
    /// `bad-config` for a file that cannot be read.
    pub fn terms(&self) -> Result<Option<Lexicon>, Problem> {
        self.sensitive.terms(self.lexicon.as_deref())
    }
}

/// Who sees the ids of shoppers where shoppers are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowIds {
    /// Operators and the audit role.
    #[default]
    Operators,
    /// The audit role only; an operator reveals one id at a time.
    Audit,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// `bad-config` with the place in the file.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        let bad = |error: &dyn std::fmt::Display| Problem::new(Code::BadConfig, format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
        Self::parse(&text).map_err(|error| bad(&error))
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// What is wrong with it: syntax, an unknown key, a wrong type, a number out of its range.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        // The text parsed, so it is a table; what it leaves out has its default, which lies in the range.
        let values: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        for section in Self::SECTIONS {
            if let Some(toml::Value::Table(values)) = values.get(section.name) {
                section.check(values)?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_accepted() {
        let example = Config::parse(include_str!("../../../data/mercer.example.toml")).unwrap();
        assert_ne!(example, Config::default());
    }

    #[test]
    fn numbers_keep_to_their_limits() {
        for text in [
            "[serve]\ncanary_share = 0.9\n",
            "[serve]\nconcurrency = 0\n",
            "[serve]\nqueue = 0\n",
            "[serve]\ncanary_hours = -1.0\n",
            "[serve]\ngrace_hours = nan\n",
            "[gate]\nalpha = 0.0\n",
            "[gate]\nalpha = 0.51\n",
            "[gate]\nperiod_days = 0\n",
            "[gate]\nholdout = 0.6\n",
            "[gate]\ngroup_margin = 0.0\n",
            "[gate]\ndiversity_margin = 1.5\n",
            "[train]\nreplay = 0.95\n",
            "[privacy]\nepsilon = -1.0\n",
            "[privacy]\ndelta = 0.0\n",
            "[privacy]\nnoise = 0.0\n",
            "[privacy]\nclip = nan\n",
            "[privacy]\nexpected_batch = 0.5\n",
            "[privacy]\nrate = 1.5\n",
            "[privacy]\nsteps = 0\n",
        ] {
            let refused = Config::parse(text).expect_err(text);
            assert!(refused.contains("it takes"), "{refused}");
        }
        assert_eq!(Config::parse("[gate]\nalpha = 0.5\n").unwrap().gate.alpha, 0.5);
    }

    #[test]
    fn every_default_lies_in_its_limits() {
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        for section in Config::SECTIONS.iter().filter(|section| !section.name.is_empty()) {
            let values = defaults[section.name].as_table().unwrap();
            section.check(values).unwrap();
            // A TOML table is in the order of its keys, the section in that of the page.
            // TOML has no word for a setting that is absent by default.
            let has_default = |setting: &&crate::state::settings::Setting| {
                setting.example.is_none() || values.contains_key(setting.key)
            };
            let mut declared: Vec<&str> =
                section.settings.iter().filter(has_default).map(|setting| setting.key).collect();
            declared.sort_unstable();
            assert_eq!(values.keys().map(String::as_str).collect::<Vec<_>>(), declared);
        }
    }

    #[test]
    fn the_sampling_rate_tells_no_more_than_the_order_of_magnitude() {
        let config = PrivacyConfig { expected_batch: 64.0, ..PrivacyConfig::default() };
        assert_eq!([1_024, 1_500, 2_047].map(|users| config.rate_of(users)), [1.0 / 16.0; 3]);
        assert_eq!([0, 1, 10].map(|users| config.rate_of(users)), [1.0; 3]);
        assert_eq!(PrivacyConfig { rate: 0.02, ..config }.rate_of(9), 0.02);
        assert!(!PrivacyConfig::default().is_on());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("[train]\nbudget_seconds = 5\n").is_ok());
        assert!(toml::from_str::<Config>("[train]\nbudget = 5\n").is_err());
        assert!(toml::from_str::<Config>("colour = 1\n").is_err());
    }
}
