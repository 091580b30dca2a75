//! Requests of the console to the daemon and their answers, and the only place that calls the typed client.

use mercer_shared::client::Client;
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{
    AuditEntry, Decision, ListQuery, Mitigation, MitigationPrice, Mode, ModelVersion, Page, Placement, Profile, Report,
    ReportKind, Run, SearchRequest, ServedList, Status, TrainRequest, User,
};

use crate::mitigations::MitigationDraft;

/// Rows asked for at once of a collection.
const PAGE: u32 = 100;
/// Items asked for in a list.
const LIST: u32 = 50;
/// Related items asked for.
const RELATED: u32 = 10;

/// A request to the daemon: a query or a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// How it is.
    Status,
    /// Shoppers whose id begins so, from a cursor on.
    Users {
        /// Prefix of the id.
        prefix: String,
        /// The cursor of the next page.
        cursor: Option<String>,
    },
    /// A shopper's profile.
    Profile(UserId),
    /// A shopper's list.
    Recommend {
        /// The shopper.
        user: UserId,
        /// Whether what the shopper has may appear.
        mode: Mode,
        /// Whether to give reasons.
        reasons: bool,
    },
    /// A search.
    Search {
        /// The typed text.
        text: String,
        /// Whether to give reasons.
        reasons: bool,
    },
    /// Related items of an item.
    Related(ItemId),
    /// Training runs, newest first.
    Runs,
    /// One run with its losses.
    Run(String),
    /// Versions, newest first.
    Models,
    /// A report of the serving version.
    Report(ReportKind),
    /// Mitigations of all placements, without their histories.
    Mitigations,
    /// The mitigations of a placement.
    Mitigation(Placement),
    /// What settings would cost; changes nothing.
    PriceMitigation(MitigationDraft),
    /// Decisions of the agent, newest first.
    Decisions,
    /// Changes, newest first.
    Audit,
    /// Start a run.
    Train(TrainRequest),
    /// Cancel a run.
    Cancel(String),
    /// Let a version answer.
    Promote(String),
    /// Let the version before answer.
    Rollback,
    /// Keep a version, or not.
    Pin(String, bool),
    /// Set mitigations.
    SetMitigation(MitigationDraft),
    /// Bring back the mitigations before.
    UndoMitigation(Placement),
    /// Turn mitigations off.
    MitigationOff(Placement),
}

impl Ask {
    /// Whether it changes the daemon's state.
    pub(crate) const fn is_order(&self) -> bool {
        matches!(
            self,
            Self::Train(_)
                | Self::Cancel(_)
                | Self::Promote(_)
                | Self::Rollback
                | Self::Pin(..)
                | Self::SetMitigation(_)
                | Self::UndoMitigation(_)
                | Self::MitigationOff(_)
        )
    }
}

/// Defines [`Answer`] and turns each kind into its content, so that what asks can take what it expects.
macro_rules! answers {
    ($($(#[$doc:meta])* $kind:ident($content:ty),)*) => {
        /// What came back.
        #[derive(Debug, Clone)]
        pub(crate) enum Answer {
            $($(#[$doc])* $kind($content),)*
        }

        $(impl TryFrom<Answer> for $content {
            type Error = Answer;

            fn try_from(answer: Answer) -> Result<Self, Answer> {
                match answer {
                    Answer::$kind(content) => Ok(content),
                    other => Err(other),
                }
            }
        })*
    };
}

answers! {
    /// How it is.
    Status(Box<Status>),
    /// Shoppers.
    Users(Page<User>),
    /// A profile.
    Profile(Box<Profile>),
    /// A list.
    List(Box<ServedList>),
    /// Runs.
    Runs(Vec<Run>),
    /// A run.
    Run(Box<Run>),
    /// Versions.
    Models(Vec<ModelVersion>),
    /// A version.
    Model(Box<ModelVersion>),
    /// A report.
    Report(Box<Report>),
    /// Mitigations.
    Mitigations(Vec<Mitigation>),
    /// The mitigations of a placement.
    Mitigation(Box<Mitigation>),
    /// What mitigations cost.
    Price(Box<MitigationPrice>),
    /// Decisions.
    Decisions(Vec<Decision>),
    /// Changes.
    Audit(Vec<AuditEntry>),
}

/// A request with its answer or its problem.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The request.
    pub ask: Ask,
    /// What came back.
    pub result: Result<Answer, Problem>,
}

/// Sends a request and waits for the answer.
///
/// # Errors
/// The daemon's problem, or `not-running`.
pub(crate) async fn send(client: &Client, ask: Ask) -> Result<Answer, Problem> {
    Ok(match ask {
        Ask::Status => Answer::Status(Box::new(client.status().await?)),
        Ask::Users { prefix, cursor } => {
            let prefix = Some(prefix.as_str()).filter(|prefix| !prefix.is_empty());
            Answer::Users(client.users(prefix, cursor.as_deref(), Some(PAGE)).await?)
        }
        Ask::Profile(user) => Answer::Profile(Box::new(client.profile(user.as_str(), None).await?)),
        Ask::Recommend { user, mode, reasons } => {
            let query = ListQuery {
                k: Some(LIST),
                mode: Some(mode),
                reasons: Some(reasons),
                preview: Some(true),
                ..ListQuery::default()
            };
            Answer::List(Box::new(client.recommend(user.as_str(), &query).await?))
        }
        Ask::Search { text, reasons } => {
            let request = SearchRequest { q: text, k: Some(LIST), reasons: Some(reasons), ..SearchRequest::default() };
            Answer::List(Box::new(client.search(&request).await?))
        }
        Ask::Related(item) => {
            let query = ListQuery { k: Some(RELATED), preview: Some(true), ..ListQuery::default() };
            Answer::List(Box::new(client.related(item.as_str(), &query).await?))
        }
        Ask::Runs => Answer::Runs(client.runs(None, Some(PAGE)).await?.items),
        Ask::Run(id) => Answer::Run(Box::new(client.run(&id).await?)),
        Ask::Models => Answer::Models(client.models().await?.items),
        Ask::Report(kind) => Answer::Report(Box::new(client.report(kind, None).await?)),
        Ask::Mitigations => Answer::Mitigations(client.mitigations().await?),
        Ask::Mitigation(placement) => Answer::Mitigation(Box::new(client.mitigation(placement.as_str()).await?)),
        Ask::PriceMitigation(MitigationDraft { placement, settings }) => {
            Answer::Price(Box::new(client.mitigation_price(placement.as_str(), &settings).await?))
        }
        Ask::SetMitigation(MitigationDraft { placement, settings }) => {
            Answer::Mitigation(Box::new(client.set_mitigation(placement.as_str(), &settings).await?))
        }
        Ask::UndoMitigation(placement) => {
            Answer::Mitigation(Box::new(client.undo_mitigation(placement.as_str()).await?))
        }
        Ask::MitigationOff(placement) => Answer::Mitigation(Box::new(client.mitigation_off(placement.as_str()).await?)),
        Ask::Decisions => Answer::Decisions(client.decisions(None, Some(PAGE)).await?.items),
        Ask::Audit => Answer::Audit(client.audit(None, Some(PAGE)).await?.items),
        Ask::Train(request) => Answer::Run(Box::new(client.train(&request).await?)),
        Ask::Cancel(run) => Answer::Run(Box::new(client.cancel(&run).await?)),
        Ask::Promote(version) => Answer::Model(Box::new(client.promote(&version).await?)),
        Ask::Rollback => Answer::Model(Box::new(client.rollback().await?)),
        Ask::Pin(version, pinned) => Answer::Model(Box::new(client.pin(&version, pinned).await?)),
    })
}
