//! Files of the inbox on disk: their state, their names, their reports.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use mercer_import::ImportFailure;
use mercer_import::inbox::{Look, ends_whole};
use mercer_shared::wire::ImportReport;

/// Bytes at the head of a file that show whether it is compressed or binary.
const HEAD: u64 = 512;

/// The present state of a file.
pub(super) fn look(path: &Path) -> io::Result<Look> {
    let meta = std::fs::metadata(path)?;
    // What cannot be read is no half line; reading it says why.
    let ends_whole = has_line_end(path, meta.len()).unwrap_or(true);
    Ok(Look { length: meta.len(), changed: meta.modified().ok(), ends_whole })
}

fn has_line_end(path: &Path, length: u64) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let (mut head, mut last) = (Vec::new(), Vec::new());
    Read::by_ref(&mut file).take(HEAD).read_to_end(&mut head)?;
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.take(1).read_to_end(&mut last)?;
    }
    Ok(ends_whole(&head, last.first().copied()))
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Writes the report of a file beside it.
pub(super) fn write_report(target: &Path, outcome: &Result<ImportReport, ImportFailure>) -> io::Result<()> {
    let report = match outcome {
        Ok(report) => serde_json::to_vec_pretty(report),
        Err(failure) => {
            let both = serde_json::json!({ "problem": failure.problem, "report": failure.report });
            serde_json::to_vec_pretty(&both)
        }
    };
    std::fs::write(report_path(target), report.map_err(io::Error::other)?)
}

/// Where the report of a file stands.
pub(super) fn report_path(target: &Path) -> PathBuf {
    let mut beside = target.to_path_buf().into_os_string();
    beside.push(".report.json");
    beside.into()
}

/// A path in a directory that does not exist yet: the name, with a number if it is taken.
pub(super) fn free(dir: &Path, name: &str) -> PathBuf {
    let plain = dir.join(name);
    if !plain.exists() {
        return plain;
    }
    let numbered = (2..u32::MAX).map(|number| dir.join(format!("{name}.{number}")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_taken_twice() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv"));
        std::fs::write(dir.path().join("x.csv"), "").unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv.2"));
    }
}
