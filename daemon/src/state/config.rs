//! Configuration: where things are, how much training may take, who may change things. One TOML file; the command line
//! names the state directory and the socket.

use std::path::{Path, PathBuf};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{OutOfStock, Tuning};
use serde::{Deserialize, Serialize};

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// State directory.
    pub state: PathBuf,
    /// Socket path.
    pub socket: PathBuf,
    /// Group (numeric id) whose members may change things, beside root and the daemon's own user.
    pub operator_group: Option<u32>,
    /// Directory with further import presets.
    pub presets: Option<PathBuf>,
    /// Training.
    pub train: TrainConfig,
    /// Serving.
    pub serve: ServeConfig,
    /// Reports.
    pub reports: ReportsConfig,
    /// The gate that candidates pass.
    pub gate: GateConfig,
}

/// How gates are held over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// Most that all gates of a period together may spend: the chance of even one false promotion in it.
    pub alpha: f64,
    /// Days of a period.
    pub period_days: u32,
    /// Share of the shoppers that neither train nor gate, 0 to 0.5; 0 holds nobody out.
    pub holdout: f64,
    /// Shoppers from which on anybody is held out: below it the share would be too few to show anything.
    pub holdout_shoppers: usize,
    /// Promotions between two looks at those who are held out; 0 looks on request only.
    pub holdout_every: u64,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { alpha: 0.05, period_days: 90, holdout: 0.05, holdout_shoppers: 10_000, holdout_every: 5 }
    }
}

/// What the reports look at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportsConfig {
    /// Attributes by which the fairness report compares shoppers; empty means all that are declared with at least two values.
    pub protected: Vec<String>,
}

/// When and how long to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Seconds between scheduled cycles; 0 turns the schedule off.
    pub every_seconds: u64,
    /// New interactions after which a cycle starts by itself; 0 turns it off.
    pub after_interactions: u64,
    /// Seconds that a cycle is planned to fit into, whole.
    pub budget_seconds: u64,
    /// How the encoder is fine-tuned.
    pub tuning: Tuning,
    /// Whether a candidate that passes the gate is promoted without asking.
    pub promote: bool,
    /// Steps between checkpoints.
    pub checkpoint_steps: u64,
    /// Share of replayed examples, 0 to 0.9 (METRICS.md section 7: 20 to 50 %).
    pub replay: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Model versions that are kept beside the serving one and pinned ones.
    pub keep_versions: usize,
}

/// Limits of serving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Requests at work at once; more are answered 429.
    pub concurrency: usize,
    /// Queries that may wait for the encoder.
    pub queue: usize,
    /// Milliseconds that the pair classifier may take to re-score the head of a list; 0 turns it off.
    pub pair_budget_ms: u64,
    /// Share of the shoppers that a version that passed the gate answers first, 0 to 0.5; 0 lets it serve everybody at once.
    pub canary_share: f64,
    /// Hours that it answers them before it serves everybody.
    pub canary_hours: f64,
    /// Hours after that in which it is still taken back by itself when a guardrail breaks.
    pub grace_hours: f64,
    /// What lists and searches do with items that are out of stock: `hide`, `demote` or `show`; a request may say otherwise.
    pub out_of_stock: OutOfStock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: mercer_shared::socket::default_state(),
            socket: PathBuf::new(),
            operator_group: None,
            presets: None,
            train: TrainConfig::default(),
            serve: ServeConfig::default(),
            reports: ReportsConfig::default(),
            gate: GateConfig::default(),
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            every_seconds: 24 * 3600,
            after_interactions: 50_000,
            budget_seconds: 1800,
            tuning: Tuning::Lora,
            promote: true,
            checkpoint_steps: 50,
            replay: 0.3,
            seed: 42,
            keep_versions: 3,
        }
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            concurrency: 64,
            queue: 256,
            pair_budget_ms: 0,
            canary_share: 0.0,
            canary_hours: 24.0,
            grace_hours: 24.0,
            out_of_stock: OutOfStock::Hide,
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// `bad-config` with the place in the file.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        let bad = |error: &dyn std::fmt::Display| Problem::new(Code::BadConfig, format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
        let config: Self = toml::from_str(&text).map_err(|error| bad(&error))?;
        config.check().map_err(|detail| bad(&detail))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if !(0.0..=0.9).contains(&self.train.replay) {
            return Err(format!("train.replay is {}, it takes 0 to 0.9", self.train.replay));
        }
        if self.serve.concurrency == 0 || self.serve.queue == 0 {
            return Err("serve.concurrency and serve.queue are at least 1".to_owned());
        }
        let serve = &self.serve;
        if !(0.0..=0.5).contains(&serve.canary_share) {
            return Err(format!("serve.canary_share is {}, it takes 0 to 0.5", serve.canary_share));
        }
        if !(serve.canary_hours >= 0.0 && serve.grace_hours >= 0.0) {
            return Err("serve.canary_hours and serve.grace_hours are at least 0".to_owned());
        }
        let gate = &self.gate;
        if !(gate.alpha > 0.0 && gate.alpha <= 0.5) || gate.period_days == 0 {
            return Err("gate.alpha is above 0 and at most 0.5, gate.period_days at least 1".to_owned());
        }
        if !(0.0..=0.5).contains(&gate.holdout) {
            return Err(format!("gate.holdout is {}, it takes 0 to 0.5", gate.holdout));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_every_key_with_its_default() {
        let text = include_str!("../../../data/mercer.example.toml");
        let example: toml::Table = toml::from_str(text).unwrap();
        let usual = toml::Table::try_from(Config::default()).unwrap();
        for section in ["train", "serve", "reports", "gate"] {
            assert_eq!(example[section], usual[section], "{section}");
        }
        toml::from_str::<Config>(text).unwrap().check().unwrap();
        assert!(toml::from_str::<Config>("[serve]\ncanary_share = 0.9\n").unwrap().check().is_err());
        assert!(toml::from_str::<Config>("[gate]\nalpha = 0.0\n").unwrap().check().is_err());
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("[train]\nbudget_seconds = 5\n").is_ok());
        assert!(toml::from_str::<Config>("[train]\nbudget = 5\n").is_err());
        assert!(toml::from_str::<Config>("colour = 1\n").is_err());
    }
}
