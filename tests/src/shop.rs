//! Small simulated shops: the same options give the same bytes.

use std::path::PathBuf;
use std::process::Command;

use crate::daemon::Daemon;
use crate::programs::program;

/// When every simulated log of the tests ends.
pub const END: &str = "2024-06-30T00:00:00Z";

/// Size and seed of a shop.
#[derive(Debug, Clone, Copy)]
pub struct Shop {
    /// Decides everything.
    pub seed: u64,
    /// Shoppers.
    pub users: u32,
    /// Items.
    pub items: u32,
    /// Interactions to aim at.
    pub interactions: u32,
}

/// A shop that is imported in a moment.
pub const SMALL: Shop = Shop { seed: 5, users: 40, items: 60, interactions: 1_500 };

impl Shop {
    /// The log as NDJSON.
    ///
    /// # Panics
    /// If the generator fails.
    #[must_use]
    pub fn ndjson(self) -> Vec<u8> {
        let Self { seed, users, items, interactions } = self;
        let output = Command::new(program("mercerd"))
            .args(["simulate", "--end", END])
            .args(["--seed", &seed.to_string(), "--users", &users.to_string()])
            .args(["--items", &items.to_string(), "--interactions", &interactions.to_string()])
            .output()
            .expect("mercerd runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Writes the log beside a daemon's state and imports it.
    ///
    /// # Panics
    /// If the import fails or leaves a line out.
    pub fn open(self, daemon: &Daemon) -> PathBuf {
        let file = daemon.file("shop.ndjson", self.ndjson());
        let report = daemon.mercer_json(&["import", "--format", "ndjson", &file]);
        assert_eq!(report["accepted"], report["lines"], "{report}");
        assert!(report["lines"].as_u64() > Some(u64::from(self.users + self.items)), "{report}");
        file.into()
    }
}
