//! Configuration: where things are, how much training may take, who may change things. One TOML file; the command line
//! names the state directory and the socket.

use std::path::{Path, PathBuf};

use mercer_shared::problem::{Code, Problem};
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
    /// Most seconds that the encoder is trained in one cycle.
    pub budget_seconds: u64,
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
        }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            every_seconds: 24 * 3600,
            after_interactions: 50_000,
            budget_seconds: 600,
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
        Self { concurrency: 64, queue: 256, pair_budget_ms: 0 }
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("[train]\nbudget_seconds = 5\n").is_ok());
        assert!(toml::from_str::<Config>("[train]\nbudget = 5\n").is_err());
        assert!(toml::from_str::<Config>("colour = 1\n").is_err());
    }
}
