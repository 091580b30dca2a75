//! `mercerd docs`: reference pages in Markdown, made from the tables of the code. The pages in `data/docs` are what it prints; a test
//! fails when one of them is stale.

use std::fmt::Write as _;

use clap::ValueEnum;
use mercer_daemon::http::metrics::METRICS;
use mercer_daemon::http::openapi;
use mercer_daemon::state::config::Config;
use mercer_daemon::state::settings::{Limits, Section, Setting};
use mercer_shared::problem::{Code, Problem, exit};
use serde_json::Value;

/// A text that is made from the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// Configuration keys with type, default and limits.
    Configuration,
    /// A complete configuration file: every key with its default and its explanation.
    ConfigurationFile,
    /// Error codes with HTTP status, exit code and hint.
    Errors,
    /// Metrics for Prometheus.
    Metrics,
    /// Paths of the wire.
    Routes,
}

impl Document {
    /// The text.
    ///
    /// # Errors
    /// None in practice: a table of the code that has no TOML or JSON form.
    pub(crate) fn text(self) -> Result<String, Problem> {
        match self {
            Self::Configuration => configuration(),
            Self::ConfigurationFile => configuration_file(),
            Self::Errors => Ok(errors()),
            Self::Metrics => Ok(metrics()),
            Self::Routes => routes(),
        }
    }
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// First lines of a page.
fn head(title: &str, document: &str) -> String {
    format!("<!-- Made from the code by `mercerd docs {document}`: change it there. -->\n\n# {title}\n\n")
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The lines of a doc comment as one paragraph.
fn paragraph(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Every section with the values of its keys' defaults.
fn defaults() -> Result<toml::Table, Problem> {
    toml::Table::try_from(Config::default()).map_err(internal)
}

/// The default of a key as TOML; `None` where it depends on the machine or is absent.
fn default_of(defaults: &toml::Table, section: &Section, setting: &Setting) -> Option<String> {
    if setting.example.is_some() {
        return None;
    }
    let values = if section.name.is_empty() { defaults } else { defaults.get(section.name)?.as_table()? };
    values.get(setting.key).map(ToString::to_string)
}

fn configuration() -> Result<String, Problem> {
    let defaults = defaults()?;
    let mut out = head("Configuration", "configuration");
    out.push_str(
        "`mercerd --config FILE` reads one TOML file. Every key is optional, an unknown key is refused, and the daemon must be restarted to\n\
         read a change. `mercerd docs configuration-file` prints a complete file with every default; `data/mercer.example.toml` is a short\n\
         one. `GET /v1/config` shows what is in force.\n\n\
         The command line wins over the environment, and the environment over the file: `--state DIR` or `MERCER_STATE`, `--socket PATH`\n\
         or `MERCER_SOCKET`. `MERCER_LOG` sets the level of the log, such as `info` or `mercer_daemon=debug`.\n",
    );
    for section in Config::SECTIONS {
        let title =
            if section.name.is_empty() { "Top of the file".to_owned() } else { format!("`[{}]`", section.name) };
        let _ = write!(out, "\n## {title}\n\n");
        if !section.name.is_empty() {
            let _ = write!(out, "{}\n\n", paragraph(section.doc));
        }
        out.push_str("| key | default | what it sets |\n|---|---|---|\n");
        for setting in section.settings {
            let default =
                default_of(&defaults, section, setting).map_or_else(String::new, |value| format!("`{value}`"));
            let mut doc = paragraph(setting.doc);
            if setting.limits != Limits::None {
                let _ = write!(doc, " Takes {}.", setting.limits);
            }
            let _ = writeln!(out, "| `{}` | {} | {} |", section.path(setting), cell(&default), cell(&doc));
        }
    }
    Ok(out)
}

fn configuration_file() -> Result<String, Problem> {
    let defaults = defaults()?;
    let mut out = String::from("# Mercer's configuration: every key with its default. Keys behind a # have none.\n");
    for section in Config::SECTIONS {
        if !section.name.is_empty() {
            let _ = write!(out, "\n# {}\n[{}]\n", paragraph(section.doc), section.name);
        }
        for setting in section.settings {
            out.push('\n');
            for line in setting.doc {
                let _ = writeln!(out, "# {}", line.trim());
            }
            if setting.limits != Limits::None {
                let _ = writeln!(out, "# Takes {}.", setting.limits);
            }
            let _ = match (default_of(&defaults, section, setting), setting.example) {
                (Some(value), _) => writeln!(out, "{} = {value}", setting.key),
                (None, example) => writeln!(out, "# {} = {}", setting.key, example.unwrap_or_default()),
            };
        }
    }
    Ok(out)
}

fn errors() -> String {
    let mut out = head("Errors and exit codes", "errors");
    out.push_str(
        "The daemon answers a refusal with a problem document (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail`,\n\
         `code`, `hint` and, where a retry makes sense, `retry_after`. `code` is stable. `mercer` and `mercerd` print title, detail and hint,\n\
         and exit with the code's exit code.\n\n## Exit codes\n\n| exit | meaning |\n|---|---|\n",
    );
    for (code, meaning) in exit::MEANINGS {
        let _ = writeln!(out, "| {code} | {meaning} |");
    }
    out.push_str("\n## Error codes\n\n| code | HTTP | exit | title | hint |\n|---|---|---|---|---|\n");
    for code in Code::ALL {
        let (title, hint) = (cell(code.title()), cell(code.hint()));
        let _ = writeln!(out, "| `{code}` | {} | {} | {title} | {hint} |", code.status(), code.exit());
    }
    out
}

fn metrics() -> String {
    let mut out = head("Metrics", "metrics");
    out.push_str(
        "`GET /metrics` answers in the text format of Prometheus (0.0.4): the numbers of the status, read at each scrape, and the latency of\n\
         requests as a histogram.\n\n\
         | metric | type | what it measures |\n|---|---|---|\n",
    );
    for metric in METRICS {
        let _ = writeln!(out, "| `{}` | {} | {} |", metric.name, metric.kind(), cell(metric.help));
    }
    out
}

fn routes() -> Result<String, Problem> {
    let document: Value = serde_json::from_str(&openapi::text().map_err(internal)?).map_err(internal)?;
    let paths = document["paths"].as_object().ok_or_else(|| internal("the document has no paths"))?;
    let mut out = head("Paths", "routes");
    out.push_str(
        "HTTP/1.1 with JSON over the socket. `shared/openapi.json` (`GET /v1/openapi.json`, `mercerd openapi`) has parameters and types.\n\n\
         | method | path | what it does |\n|---|---|---|\n",
    );
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            let _ = writeln!(out, "| {} | `{path}` | {} |", method.to_uppercase(), cell(summary));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// With `MERCER_WRITE_DOCS` in the environment it writes the pages.
    #[test]
    fn the_kept_pages_are_up_to_date() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/docs");
        for document in Document::value_variants() {
            let value = document.to_possible_value().unwrap();
            if *document == Document::ConfigurationFile {
                continue;
            }
            let path = dir.join(format!("{}.md", value.get_name()));
            let text = document.text().unwrap();
            if std::env::var_os("MERCER_WRITE_DOCS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            let name = path.display();
            assert!(kept == text, "{name} is stale: MERCER_WRITE_DOCS=1 cargo test -p mercer-daemon docs writes it");
        }
    }

    #[test]
    fn the_configuration_file_has_every_key_with_its_default() {
        let text = Document::ConfigurationFile.text().unwrap();
        assert_eq!(Config::parse(&text).unwrap(), Config::default());
        let with_examples: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
            .collect();
        let filled: toml::Table = toml::from_str(&with_examples.join("\n")).unwrap();
        Config::parse(&with_examples.join("\n")).unwrap();
        for section in Config::SECTIONS {
            let values = if section.name.is_empty() { &filled } else { filled[section.name].as_table().unwrap() };
            for setting in section.settings {
                assert!(values.contains_key(setting.key), "{}", section.path(setting));
            }
        }
    }
}
