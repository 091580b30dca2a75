//! Decides whether a file of the inbox is complete, and how it is read.
//!
//! A file whose writer has closed it is complete. Where the closing is not seen (a network disk, a file older than the
//! daemon, a writer that opens the file again after a pause), a file is complete after it has not changed for some
//! time, which grows with the longest pause seen so far. A name that ends in `.part` until the file is whole is always
//! safe.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use mercer_shared::problem::{Code, Problem};

use crate::preset::Preset;
use crate::run::{Kind, Plan};

/// Time without a change after which a file is complete whose writer has closed it.
pub const QUIET: Duration = Duration::from_secs(2);
/// The same for a file whose writer is not seen.
const QUIET_UNKNOWN: Duration = Duration::from_secs(5);
/// The same where its last line has no end: more of that line may come.
const QUIET_HALF_LINE: Duration = Duration::from_secs(90);
/// The longest quiet time, also of a file that its writer keeps open.
const QUIET_MAX: Duration = Duration::from_secs(600);
/// A file that was last changed so long ago is not being written.
const OLD: Duration = Duration::from_secs(60);
/// Factor over the longest pause so far for which a file must be quiet.
const GROWTH: u32 = 3;

/// A file as one look finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Length in bytes.
    pub length: u64,
    /// Time of the last change, where the system tells it.
    pub changed: Option<SystemTime>,
    /// Whether its last line is complete, or it has no lines.
    pub ends_whole: bool,
}

/// The known state of a file's writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileWriter {
    /// Nothing.
    #[default]
    Unknown,
    /// It has written and not closed the file since.
    Open,
    /// It has closed the file, or moved it here.
    Closed,
}

/// A file that waits to be complete.
#[derive(Debug, Clone)]
pub struct WaitingFile {
    look: Look,
    since: Instant,
    longest_pause: Duration,
}

impl WaitingFile {
    /// A file seen for the first time.
    #[must_use]
    pub const fn new(look: Look, now: Instant) -> Self {
        Self { look, since: now, longest_pause: Duration::ZERO }
    }

    /// Takes in another look.
    pub fn look(&mut self, look: Look, now: Instant) {
        if look != self.look {
            self.longest_pause = self.longest_pause.max(now.saturating_duration_since(self.since));
            (self.look, self.since) = (look, now);
        }
    }

    /// Whether the file can be read.
    #[must_use]
    pub fn is_complete(&self, writer: FileWriter, now: Instant, clock: SystemTime) -> bool {
        now.saturating_duration_since(self.since) >= self.quiet(writer, clock)
    }

    /// How long the file must be quiet.
    fn quiet(&self, writer: FileWriter, clock: SystemTime) -> Duration {
        let age = self.look.changed.and_then(|changed| clock.duration_since(changed).ok());
        let is_old = age.is_some_and(|age| age >= OLD);
        let least = match writer {
            FileWriter::Open => QUIET_MAX,
            FileWriter::Closed => QUIET,
            FileWriter::Unknown if is_old => QUIET,
            FileWriter::Unknown => QUIET_UNKNOWN,
        };
        // What has not changed for long before it was first seen was left so.
        let half_line = !self.look.ends_whole && age.is_none_or(|age| age < QUIET_HALF_LINE);
        let ends = if half_line { QUIET_HALF_LINE } else { Duration::ZERO };
        least.max(ends).max(self.longest_pause * GROWTH).min(QUIET_MAX)
    }
}

/// Whether a file's last bytes end a line, or the file has no lines that could be cut: it is packed or binary.
#[must_use]
pub fn ends_whole(head: &[u8], last: Option<u8>) -> bool {
    let packed =
        [b"\x1f\x8b".as_slice(), b"\x28\xb5\x2f\xfd", b"PAR1", b"PK"].iter().any(|magic| head.starts_with(magic));
    packed || head.contains(&0) || last.is_none_or(|last| matches!(last, b'\n' | b'\r' | b'}' | b']'))
}

/// Whether a name marks a hidden or unfinished file.
#[must_use]
pub fn is_ignored(name: &str) -> bool {
    let unfinished = [".part", ".tmp", ".crdownload", ".partial", "~"];
    name.starts_with('.') || unfinished.iter().any(|end| name.ends_with(end))
}

/// Mercer's own documents by the beginning of a file's name, in the order in which files are read that arrived
/// together: interactions name items and users.
const OWN: [(&str, Kind); 4] =
    [("items", Kind::Items), ("users", Kind::Users), ("export", Kind::Export), ("interactions", Kind::Interactions)];

fn own_kind(name: &str) -> Option<usize> {
    let packed = [".gz", ".zst", ".zstd"];
    let plain = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let ours = plain.ends_with(".ndjson") || plain.ends_with(".jsonl");
    OWN.iter().position(|(start, _)| ours && plain.starts_with(start))
}

/// The place of a file among files that arrived together: items, users, exports, interactions, logs read by presets.
#[must_use]
pub fn reading_order(name: &str) -> usize {
    own_kind(name).unwrap_or(OWN.len())
}

/// The import plan of a file, from its name: `items*`, `users*`, `interactions*` and `export*` with `.ndjson` or
/// `.jsonl` are Mercer's own documents; `PRESET.anything` is read with that preset.
///
/// # Errors
/// `unknown-format` with what names are understood.
pub fn guess_plan(name: &str, presets: Option<&Path>) -> Result<Plan, Problem> {
    if let Some(own) = own_kind(name) {
        return Ok(Plan::Ndjson(OWN[own].1));
    }
    let preset = name.split('.').next().unwrap_or_default();
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

    const SECOND: Duration = Duration::from_secs(1);

    fn look(length: u64) -> Look {
        Look { length, changed: Some(SystemTime::now()), ends_whole: true }
    }

    /// A file that grows by one byte after each pause; seconds after which it is complete, and a pause of which it is not.
    fn quiet_after(pauses: &[u32], writer: FileWriter, ends_whole: bool) -> u64 {
        let clock = SystemTime::now();
        let look = |length| Look { ends_whole, ..look(length) };
        let mut now = Instant::now();
        let mut waiting = WaitingFile::new(look(0), now);
        for (length, pause) in (1..).zip(pauses) {
            assert!(!waiting.is_complete(writer, now, clock));
            now += SECOND * *pause;
            waiting.look(look(length), now);
        }
        (0..).find(|seconds| waiting.is_complete(writer, now + Duration::from_secs(*seconds), clock)).unwrap()
    }

    #[test]
    fn a_closed_file_is_complete_soon_and_an_open_one_is_not() {
        assert_eq!(quiet_after(&[], FileWriter::Closed, true), 2);
        assert_eq!(quiet_after(&[], FileWriter::Unknown, true), 5);
        assert_eq!(quiet_after(&[4], FileWriter::Open, true), 600);
        assert_eq!(quiet_after(&[60], FileWriter::Open, true), 600);
    }

    #[test]
    fn the_quiet_time_grows_with_the_pauses_and_without_a_line_end() {
        assert_eq!(quiet_after(&[1, 4, 1], FileWriter::Closed, true), 12);
        assert_eq!(quiet_after(&[60], FileWriter::Unknown, true), 180);
        assert_eq!(quiet_after(&[400], FileWriter::Unknown, true), 600);
        assert_eq!(quiet_after(&[], FileWriter::Closed, false), 90);
    }

    #[test]
    fn an_old_file_waits_for_nobody() {
        let clock = SystemTime::now();
        let now = Instant::now();
        for ends_whole in [true, false] {
            let look = Look { changed: Some(clock - Duration::from_secs(100)), ends_whole, ..look(5) };
            let waiting = WaitingFile::new(look, now);
            assert!(!waiting.is_complete(FileWriter::Unknown, now + SECOND, clock));
            assert!(waiting.is_complete(FileWriter::Unknown, now + SECOND * 2, clock));
        }
    }

    #[test]
    fn ends_of_files() {
        assert!(ends_whole(b"a,b\n", Some(b'\n')) && ends_whole(b"a\r", Some(b'\r')) && ends_whole(b"", None));
        assert!(
            ends_whole(b"[{}]", Some(b']'))
                && ends_whole(b"\x1f\x8b..", Some(b'x'))
                && ends_whole(b"a\x00", Some(b'x'))
        );
        assert!(!ends_whole(b"a,b\nc", Some(b'c')));
    }

    #[test]
    fn names_tell() {
        assert!(is_ignored(".x") && is_ignored("a.csv.part") && !is_ignored("a.csv"));
        assert!(matches!(guess_plan("items-1.ndjson.gz", None), Ok(Plan::Ndjson(Kind::Items))));
        assert!(matches!(guess_plan("export.jsonl.zst", None), Ok(Plan::Ndjson(Kind::Export))));
        assert!(
            matches!(guess_plan("online-retail.december.csv", None), Ok(Plan::Preset(name, _)) if name == "online-retail")
        );
        assert_eq!(guess_plan("items.csv", None).unwrap_err().code, Code::UnknownFormat);
        assert_eq!(guess_plan("holiday.jpg", None).unwrap_err().code, Code::UnknownFormat);
        let mut names = ["interactions.ndjson", "gorse.csv", "users.ndjson.gz", "items.ndjson"];
        names.sort_by_key(|name| reading_order(name));
        assert_eq!(names, ["items.ndjson", "users.ndjson.gz", "interactions.ndjson", "gorse.csv"]);
    }
}
