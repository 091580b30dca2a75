//! Presets: TOML files that describe how a shop's log is read. Those of `data/presets` ship with Mercer; a configured
//! directory may add or replace some.

mod anonymise;
mod spec;

use std::path::Path;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ConsentChoice, PresetInfo};
use serde::Deserialize;

use crate::mapping::Mapper;
pub use anonymise::{Anonymisation, AnonymiseSpec, TimePart};
pub use spec::{
    Choice, ConditionSpec, Decimal, FileSpec, FillDownSpec, InteractionSpec, ItemSpec, MadeSpec, NullSpec, Rule,
    TimeSpec, TypeRule, UserSpec, ValueSpec,
};

/// A preset: one section for each kind of file that belongs to the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it reads.
    pub description: String,
    /// What holds for new users of this log who say nothing of consent; scopes that are absent follow the configuration.
    #[serde(default)]
    pub consent: ConsentChoice,
    /// Kinds of file.
    pub file: Vec<FileSpec>,
}

/// A preset that ships with Mercer.
struct Shipped {
    name: &'static str,
    text: &'static str,
}

/// The presets that ship with Mercer, by name.
const SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

impl Preset {
    /// Reads a preset's text and checks it: a preset that is taken can be used.
    ///
    /// # Errors
    /// `bad-config` with the place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let bad = |detail: String| Problem::new(Code::BadConfig, format!("preset `{name}`: {detail}"));
        let preset: Self = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        if preset.file.is_empty() {
            return Err(bad("it has no [[file]]".to_owned()));
        }
        for file in &preset.file {
            Mapper::new(name, file).map_err(|detail| bad(format!("file `{}`: {detail}", file.name)))?;
        }
        Ok(preset)
    }

    /// The same with the key of hashes; without it they are the same everywhere, so that whoever guesses a value can find it.
    #[must_use]
    pub fn with_key(mut self, key: [u8; 32]) -> Self {
        self.file.iter_mut().for_each(|file| file.key = key);
        self
    }

    /// The preset of a name: from the directory if one is given and has it, else a shipped one.
    ///
    /// # Errors
    /// `unknown-preset` with the names there are, `bad-config` for one that cannot be read.
    pub fn find(name: &str, directory: Option<&Path>) -> Result<Self, Problem> {
        // A name is no path: it must not lead out of the directory.
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if let Some(directory) = directory.filter(|_| plain)
            && let Ok(text) = std::fs::read_to_string(directory.join(format!("{name}.toml")))
        {
            return Self::parse(name, &text);
        }
        match SHIPPED.iter().find(|shipped| shipped.name == name) {
            Some(shipped) => Self::parse(name, shipped.text),
            None => {
                let known = Self::names(directory).join(", ");
                let shown = crate::validate::clip(name);
                Err(Problem::new(Code::UnknownPreset, format!("there is no preset `{shown}`; there are {known}")))
            }
        }
    }

    /// The names of the shipped presets for which `fits` holds.
    pub(crate) fn shipped_where(fits: impl Fn(&Self) -> bool) -> Vec<&'static str> {
        let read =
            SHIPPED.iter().filter_map(|shipped| Some((shipped.name, Self::parse(shipped.name, shipped.text).ok()?)));
        read.filter(|(_, preset)| fits(preset)).map(|(name, _)| name).collect()
    }

    /// The names of all presets, in order of the alphabet.
    #[must_use]
    pub fn names(directory: Option<&Path>) -> Vec<String> {
        let mut names: Vec<String> = SHIPPED.iter().map(|shipped| shipped.name.to_owned()).collect();
        if let Some(entries) = directory.and_then(|directory| std::fs::read_dir(directory).ok()) {
            names.extend(
                entries.flatten().filter_map(|e| e.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned)),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    /// All presets for listing. An unreadable one is logged and left out.
    #[must_use]
    pub fn list(directory: Option<&Path>) -> Vec<PresetInfo> {
        let info = |name: String| match Self::find(&name, directory) {
            Ok(preset) => {
                let columns = preset.file.first().map(|file| file.requires.clone()).unwrap_or_default();
                Some(PresetInfo { name, description: preset.description, columns })
            }
            Err(problem) => {
                tracing::warn!(%problem, name, "a preset cannot be used");
                None
            }
        };
        Self::names(directory).into_iter().filter_map(info).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shipped_presets_can_be_used() {
        for Shipped { name, text } in SHIPPED {
            let preset = Preset::find(name, None).unwrap();
            assert!(
                text.starts_with('#') && text.contains("Source:") && text.contains("Licence:"),
                "{name} names source and licence"
            );
            for file in &preset.file {
                assert!(
                    file.item.is_some() || file.user.is_some() || file.interaction.is_some(),
                    "{name}/{}",
                    file.name
                );
                assert!(!file.requires.is_empty(), "{name}/{}", file.name);
            }
        }
        assert_eq!(Preset::list(None).len(), SHIPPED.len());
    }

    /// The example of the handbook is a preset.
    #[test]
    fn the_example_can_be_used() {
        let handbook = include_str!("../../../../data/presets/README.md");
        let example = handbook.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let preset = Preset::parse("example", example).unwrap();
        assert_eq!(preset.file.len(), 2);
    }

    #[test]
    fn names_are_no_paths_and_errors_say_where() {
        assert_eq!(Preset::find("nothing", None).unwrap_err().code, Code::UnknownPreset);
        assert_eq!(Preset::find("../x", Some(Path::new("/"))).unwrap_err().code, Code::UnknownPreset);
        let typo = "description = \"x\"\n[[file]]\nname = \"f\"\nrequires = [\"a\"]\n[[file.skip]]\nrule = \"r\"\nwhen = { colunm = \"a\" }\n";
        let problem = Preset::parse("typo", typo).unwrap_err();
        assert!(problem.code == Code::BadConfig && problem.detail.contains("colunm"), "{problem}");
        let zone = "description = \"x\"\n[[file]]\nname = \"f\"\nrequires = [\"a\"]\ntime = { column = \"t\", zone = \"Mars/Base\" }\n[file.interaction]\ntype = \"view\"\nsession = \"a\"\nitem = \"a\"\n";
        assert!(Preset::parse("zone", zone).unwrap_err().detail.contains("Mars/Base"));
    }

    #[test]
    fn a_directory_adds_and_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let text = "description = \"ours\"\n[[file]]\nname = \"f\"\nrequires = [\"a\"]\n[file.item]\nid = \"a\"\n";
        std::fs::write(dir.path().join("ours.toml"), text).unwrap();
        std::fs::write(dir.path().join("gorse.toml"), text).unwrap();
        std::fs::write(dir.path().join("broken.toml"), "file = 3").unwrap();
        assert_eq!(Preset::find("ours", Some(dir.path())).unwrap().description, "ours");
        assert_eq!(Preset::find("gorse", Some(dir.path())).unwrap().description, "ours");
        assert_eq!(Preset::find("broken", Some(dir.path())).unwrap_err().code, Code::BadConfig);
        assert_eq!(Preset::list(Some(dir.path())).len(), SHIPPED.len() + 1);
    }
}
