//! Exported reports as files: written with their signature beside them, and checked.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use mercer_shared::client::{Client, ExportQuery};
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::signatures::{Expected, RECEIPT, REPORT, verify_document, verify_file};
use mercer_shared::wire::{EraseReceipt, ExportFormat, ExportedReport, FileStatement, ReportKind, SignedKind};
use serde::Serialize;
use serde_json::Value;

use super::out::{Done, Out};
use super::report_args::ReportArgs;
use crate::text;

/// The file with the signature of another file.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

fn shown(file: &Path) -> String {
    text::clean(&file.display().to_string())
}

fn format_of(file: &Path, named: Option<ExportFormat>) -> Result<ExportFormat, Problem> {
    let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let format = named.or_else(|| ending.and_then(|ending| ending.parse().ok()));
    format.ok_or_else(|| {
        Problem::new(
            Code::BadParameter,
            format!("the ending of {} is none of json, csv, parquet, html: --format names one", shown(file)),
        )
    })
}

/// Exports a report. The file system is asked first: an export spends privacy budget.
pub(crate) async fn export(kind: ReportKind, file: &Path, args: &ReportArgs, client: &Client, out: &mut Out) -> Done {
    let format = format_of(file, args.format)?;
    let sidecar = (format != ExportFormat::Json).then(|| beside(file));
    if !args.force
        && let Some(there) = [Some(file), sidecar.as_deref()].into_iter().flatten().find(|file| file.exists())
    {
        return Err(Problem::new(Code::FileExists, shown(there)).into());
    }
    let query = ExportQuery { format, model: args.model.clone(), against: args.against.clone(), exact: args.exact };
    let made = client.export_report(kind, &query).await?;
    write(file, &made.bytes, args.force)?;
    if let Some(sidecar) = &sidecar {
        let unsigned = || Problem::new(Code::Unsigned, "the daemon sent no statement for the file");
        let signed = made.statement.ok_or_else(unsigned).and_then(|text| write(sidecar, text.as_bytes(), args.force));
        if let Err(problem) = signed {
            // A file without its signature looks finished and is not.
            let _ = std::fs::remove_file(file);
            return Err(problem.into());
        }
    }
    if out.json {
        #[derive(Serialize)]
        struct Written<'a> {
            file: &'a Path,
            #[serde(skip_serializing_if = "Option::is_none")]
            signature: Option<&'a Path>,
            bytes: usize,
        }
        out.document(&Written { file, signature: sidecar.as_deref(), bytes: made.bytes.len() })?;
    } else {
        let sidecar = sidecar.map_or_else(String::new, |sidecar| format!(" and {}", shown(&sidecar)));
        out.line(format!("wrote {}{sidecar}; check it: mercer report verify {}", shown(file), shown(file)))?;
    }
    Ok(exit::OK)
}

fn write(file: &Path, bytes: &[u8], force: bool) -> Result<(), Problem> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Problem::new(Code::FileExists, shown(file)),
        _ => Problem::new(Code::BadFile, format!("{}: {error}", shown(file))),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(!force).create(force).truncate(force);
    options.open(file).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(failed)
}

/// Prints the public key.
pub(crate) async fn key(client: &Client, out: &mut Out) -> Done {
    let key = client.report_key(SignedKind::Report).await?;
    if out.json {
        out.document(&key)?;
    } else {
        out.line(&key.public_key)?;
    }
    Ok(exit::OK)
}

/// What a good signature says.
#[derive(Debug, Serialize)]
struct Verified {
    /// The key that it was checked with.
    public_key: String,
    /// What was signed; of a JSON document the parts that name it.
    statement: Statement,
}

#[derive(Debug, Serialize)]
struct Statement {
    id: String,
    kind: ReportKind,
    model: String,
    data: String,
    version: String,
}

impl From<FileStatement> for Statement {
    fn from(file: FileStatement) -> Self {
        let FileStatement { id, kind, model, hashes, .. } = file;
        Self { id, kind, model, data: hashes.data, version: hashes.version }
    }
}

impl From<ExportedReport> for Statement {
    fn from(document: ExportedReport) -> Self {
        let ExportedReport { id, hashes, report, .. } = document;
        Self { id, kind: report.kind, model: report.model, data: hashes.data, version: hashes.version }
    }
}

/// Whether a file says of itself that it is a receipt of an erasure.
fn is_receipt(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|document| document["signature"]["purpose"] == RECEIPT)
}

fn verify_receipt(file: &Path, bytes: &[u8], public_key: String, out: &mut Out) -> Done {
    let document = verify_document(bytes, Expected { purpose: RECEIPT, public_key: &public_key })?;
    let receipt: EraseReceipt = serde_json::from_value(document)
        .map_err(|error| Problem::new(Code::WrongType, format!("it is signed, but no receipt: {error}")))?;
    if out.json {
        out.document(&receipt)?;
        return Ok(exit::OK);
    }
    out.line(format!("{}: the signature fits", shown(file)))?;
    out.line(format!("erased {}: {}", text::moment(receipt.at), text::clean(&receipt.tombstone)))?;
    out.line(format!("key {}", text::clean(&public_key)))?;
    Ok(exit::OK)
}

/// Checks a file. The daemon is asked only for its key, and only where none was given.
pub(crate) async fn verify(file: &Path, key: Option<&str>, client: &Client, out: &mut Out) -> Done {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| Problem::new(Code::BadFile, format!("{}: {error}", shown(path))))
    };
    let bytes = read(file)?;
    let receipt = is_receipt(&bytes);
    let public_key = match key {
        Some(key) => key.trim().to_ascii_lowercase(),
        None => client.report_key(if receipt { SignedKind::Receipt } else { SignedKind::Report }).await?.public_key,
    };
    if receipt {
        return verify_receipt(file, &bytes, public_key, out);
    }
    let expected = Expected { purpose: REPORT, public_key: &public_key };
    let statement = if bytes.trim_ascii_start().first() == Some(&b'{') {
        let document = verify_document(&bytes, expected)?;
        let document: ExportedReport = serde_json::from_value(document)
            .map_err(|error| Problem::new(Code::WrongType, format!("it is signed, but no report: {error}")))?;
        Statement::from(document)
    } else {
        let sidecar = beside(file);
        let statement = match std::fs::read(&sidecar) {
            Ok(statement) => statement,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Problem::new(Code::Unsigned, format!("there is no {}", shown(&sidecar))).into());
            }
            Err(error) => return Err(Problem::new(Code::BadFile, format!("{}: {error}", shown(&sidecar))).into()),
        };
        Statement::from(verify_file(&bytes, &statement, expected)?)
    };
    if out.json {
        out.document(&Verified { public_key, statement })?;
        return Ok(exit::OK);
    }
    out.line(format!("{}: the signature fits", shown(file)))?;
    out.line(format!(
        "report {}: {} of {}",
        text::clean(&statement.id),
        text::word(&statement.kind),
        text::clean(&statement.model)
    ))?;
    for (name, value) in [("data", &statement.data), ("version", &statement.version), ("key", &public_key)] {
        out.line(format!("{name} {}", text::clean(value)))?;
    }
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format_unless_one_is_named() {
        let of = |file: &str, named| format_of(Path::new(file), named).ok();
        assert_eq!(of("a/report.CSV", None), Some(ExportFormat::Csv));
        assert_eq!(of("report.txt", Some(ExportFormat::Html)), Some(ExportFormat::Html));
        assert_eq!(of("report", None), None);
        assert_eq!(beside(Path::new("a/report.html")), Path::new("a/report.html.sig"));
    }

    #[test]
    fn a_file_is_overwritten_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("r.csv");
        write(&file, b"one, longer", false).unwrap();
        assert_eq!(write(&file, b"two", false).unwrap_err().code, Code::FileExists);
        assert_eq!(std::fs::read(&file).unwrap(), b"one, longer");
        write(&file, b"two", true).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
    }
}
