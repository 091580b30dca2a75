//! What the inbox needs to know of a file before it is read: whether it is complete, and how it is to be read.

use std::path::Path;
use std::time::{Duration, SystemTime};

use mercer_shared::problem::{Code, Problem};

use crate::preset::Preset;
use crate::run::{Kind, Plan};

/// How long a file must not have changed.
pub const STABLE: Duration = Duration::from_secs(2);

/// Size and time of change, as seen at one look.
pub type Look = (u64, SystemTime);

/// Whether a name is that of a file somebody still writes or hides.
#[must_use]
pub fn is_ignored(name: &str) -> bool {
    let unfinished = [".part", ".tmp", ".crdownload", ".partial", "~"];
    name.starts_with('.') || unfinished.iter().any(|end| name.ends_with(end))
}

/// Whether a file that looked so before and looks so now can be read.
#[must_use]
pub fn is_complete(before: Option<Look>, now: Look, clock: SystemTime) -> bool {
    before == Some(now) && clock.duration_since(now.1).is_ok_and(|age| age >= STABLE)
}

/// How a file is to be read, from its name: `items*`, `users*`, `interactions*` and `export*` with `.ndjson` or `.jsonl` are
/// Mercer's own documents, `PRESET.anything` is read with that preset.
///
/// # Errors
/// `unknown-format` with what names are understood.
pub fn guess_plan(name: &str, presets: Option<&Path>) -> Result<Plan, Problem> {
    let packed = [".gz", ".zst", ".zstd"];
    let plain = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    if plain.ends_with(".ndjson") || plain.ends_with(".jsonl") {
        for (start, kind) in [
            ("items", Kind::Items),
            ("users", Kind::Users),
            ("interactions", Kind::Interactions),
            ("export", Kind::Export),
        ] {
            if plain.starts_with(start) {
                return Ok(Plan::Ndjson(kind));
            }
        }
    }
    let preset = plain.split('.').next().unwrap_or_default();
    Preset::find(preset, presets).map(|found| Plan::Preset(preset.to_owned(), found)).map_err(|problem| {
        // A preset that is there and broken says so itself.
        if problem.code != Code::UnknownPreset {
            return problem;
        }
        Problem::new(
            Code::UnknownFormat,
            format!("`{name}` does not say how to read it: call it items*.ndjson, users*.ndjson, interactions*.ndjson, export*.ndjson or PRESET.anything"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_being_written_is_left_alone() {
        let now = SystemTime::now();
        let old = now - Duration::from_secs(10);
        assert!(!is_complete(None, (5, old), now));
        assert!(!is_complete(Some((4, old)), (5, old), now));
        assert!(!is_complete(Some((5, now)), (5, now), now));
        assert!(is_complete(Some((5, old)), (5, old), now));
        assert!(is_ignored(".x") && is_ignored("a.csv.part") && !is_ignored("a.csv"));
    }

    #[test]
    fn names_tell() {
        assert!(matches!(guess_plan("items-1.ndjson.gz", None), Ok(Plan::Ndjson(Kind::Items))));
        assert!(matches!(guess_plan("export.jsonl.zst", None), Ok(Plan::Ndjson(Kind::Export))));
        assert!(
            matches!(guess_plan("online-retail.december.csv", None), Ok(Plan::Preset(name, _)) if name == "online-retail")
        );
        assert_eq!(guess_plan("items.csv", None).unwrap_err().code, Code::UnknownFormat);
        assert_eq!(guess_plan("holiday.jpg", None).unwrap_err().code, Code::UnknownFormat);
    }
}
