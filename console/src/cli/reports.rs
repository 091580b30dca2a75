//! `mercer report`: every number with its interval, what it rests on and, where there is one, its verdict.

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};

use super::out::{Done, Out};
use super::report_args::{ReportArgs, ReportCommand};
use super::{ranking_parameters, report_files, report_tables, stored_reports};

/// Runs the command.
pub(crate) async fn run(args: &ReportArgs, client: &Client, out: &mut Out) -> Done {
    match &args.command {
        Some(ReportCommand::Verify { file, key }) => {
            return report_files::verify(file, key.as_deref(), client, out).await;
        }
        Some(ReportCommand::Show { id }) => return stored_reports::show(id, client, out).await,
        Some(ReportCommand::Trend { kind, row, model }) => {
            return stored_reports::trend(*kind, row, model.as_deref(), client, out).await;
        }
        Some(ReportCommand::Parameters { language }) => {
            return ranking_parameters::run(*language, client, out).await;
        }
        Some(ReportCommand::Key) => return report_files::key(client, out).await,
        None => {}
    }
    // The command line demands it where there is no subcommand.
    let Some(kind) = args.kind else {
        return Err(
            Problem::new(Code::BadParameter, "which report? quality, diversity, fairness, privacy, data").into()
        );
    };
    if let Some(file) = &args.export {
        return report_files::export(kind, file, args, client, out).await;
    }
    match &args.against {
        Some(against) => {
            let answer = client.report_against(kind, args.model.as_deref(), against).await?;
            if out.json {
                out.document(&answer)?;
            } else {
                report_tables::whole(&answer.report, out)?;
                answer.difference.iter().try_for_each(|d| stored_reports::difference(&answer.report.model, d, out))?;
            }
        }
        None => {
            let report = client.report(kind, args.model.as_deref()).await?;
            if out.json {
                out.document(&report)?;
            } else {
                report_tables::whole(&report, out)?;
            }
        }
    }
    Ok(exit::OK)
}
