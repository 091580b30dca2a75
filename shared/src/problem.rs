//! The table of errors: stable code, HTTP status, exit code of the command line, title and hint. Each refusal of the daemon is an RFC 9457
//! problem document built from one row.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Exit codes of `mercer`.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Tried and failed.
    pub const FAILED: u8 = 1;
    /// The command line itself is wrong.
    pub const USAGE: u8 = 2;
    /// No daemon answers on the socket.
    pub const NOT_RUNNING: u8 = 3;
    /// The daemon refused, or the state does not allow it.
    pub const REFUSED: u8 = 4;

    /// Every exit code with its meaning.
    pub const MEANINGS: [(u8, &str); 5] = [
        (OK, "done"),
        (FAILED, "tried and failed"),
        (USAGE, "wrong usage"),
        (NOT_RUNNING, "no daemon on the socket"),
        (REFUSED, "refused, or the present state does not allow it"),
    ];
}

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident $code:literal $status:literal $exit:ident $title:literal $hint:literal;)*) => {
        /// A stable error code: the row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)*
        }

        impl Code {
            /// Every row, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What `mercer` exits with.
            #[must_use]
            pub const fn exit(self) -> u8 {
                match self { $(Self::$variant => exit::$exit),* }
            }

            /// A short name for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What to do about it.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint),* }
            }
        }
    };
}

problems! {
    /// The body is not JSON.
    BrokenJson "broken-json" 400 FAILED "the body is not valid JSON" "check the line and column named in the detail";
    /// JSON of the wrong shape.
    WrongType "wrong-type" 422 FAILED "a field has the wrong type, is unknown or is missing" "the detail names the field; openapi.json has the types";
    /// An id breaks the rules of ids.
    BadId "bad-id" 422 FAILED "an id breaks the rules" "ids have 1 to 256 bytes and no control characters";
    /// A time that is not kept.
    BadTime "bad-time" 422 FAILED "a time is out of range or unreadable" "use RFC 3339 between 1970 and one day from now";
    /// A number out of range: NaN, infinite or negative.
    BadNumber "bad-number" 422 FAILED "a number is out of range" "values, prices and positions are finite and not negative";
    /// Contradictory or incomplete interaction.
    BadInteraction "bad-interaction" 422 FAILED "an interaction lacks what its type needs" "name a user or a session, an item (or a query for a search)";
    /// A field is longer than the limit.
    TooLong "too-long" 422 FAILED "a text is longer than allowed" "titles have at most 1,000 bytes, other texts at most 20,000";
    /// A line of a batch is longer than the limit.
    LineTooLong "line-too-long" 413 FAILED "a line is longer than allowed" "one document a line, at most 1 MiB each";
    /// The body is larger than the limit.
    BodyTooLarge "body-too-large" 413 FAILED "the body is larger than allowed" "send a batch as NDJSON, or use an import";
    /// A query parameter is wrong.
    BadParameter "bad-parameter" 400 USAGE "a parameter is wrong" "the detail names the parameter and what it takes";
    /// No such item.
    UnknownItem "unknown-item" 404 FAILED "there is no such item" "items are written with PUT /v1/items or an import";
    /// No such user.
    UnknownUser "unknown-user" 404 FAILED "there is no such user" "a user exists from the first interaction on, or is written with PUT /v1/users";
    /// No such run, model, report, decision.
    NotFound "not-found" 404 FAILED "there is no such thing" "list the collection to see what there is";
    /// No such path.
    NoSuchPath "no-such-path" 404 FAILED "there is no such path" "GET /v1/openapi.json lists them";
    /// The path exists, the method does not.
    NoSuchMethod "no-such-method" 405 FAILED "the path does not take this method" "GET /v1/openapi.json lists the methods";
    /// A cursor that this daemon did not give out.
    BadCursor "bad-cursor" 400 FAILED "the cursor was not given by this daemon" "start again without a cursor";
    /// The user was erased; the tombstone blocks it.
    Erased "erased" 410 REFUSED "the user was erased" "an erased user is not imported again";
    /// A placement's name breaks the rules.
    BadPlacement "bad-placement" 422 USAGE "the name of a placement breaks the rules" "1 to 64 of a-z, 0-9, `.`, `_` and `-`, a letter or digit first";
    /// Nothing was ever set for the placement.
    UnknownPlacement "unknown-placement" 404 FAILED "nothing was set for this placement" "mercer mitigation list shows the placements that have mitigations";
    /// No item has this attribute or this value.
    UnknownAttribute "unknown-attribute" 422 FAILED "no item has this attribute or value" "the detail names it; items are written with PUT /v1/items";
    /// A parameter of a re-ranker lies outside its range.
    OutOfRange "out-of-range" 422 FAILED "a parameter of a re-ranker is out of range" "the detail names the parameter and what it takes";
    /// Target shares do not add up.
    BadShares "bad-shares" 422 FAILED "target shares do not add up to 1" "`*` takes the share of all other items";
    /// Constraints that cannot hold together.
    ConflictingConstraints "conflicting-constraints" 422 FAILED "constraints cannot hold together" "the detail names them; drop one";
    /// Something in progress or a state forbids it.
    Conflict "conflict" 409 REFUSED "the present state does not allow this" "the detail says what stands in the way";
    /// A training run is in progress already.
    TrainingRuns "training-runs" 409 REFUSED "a training run is in progress" "wait for it or cancel it: mercer runs cancel";
    /// Nothing to train on.
    NotEnoughData "not-enough-data" 409 REFUSED "there is not enough data for this" "the detail says how much is needed";
    /// Private training has no step left.
    PrivacyBudgetSpent "privacy-budget-spent" 409 REFUSED "the privacy budget is spent" "train without the encoder (--no-encoder), or raise privacy.epsilon: what is spent stays spent";
    /// The peer may not do this.
    Forbidden "forbidden" 403 REFUSED "this user may not do that" "reading needs the daemon's group; changing needs root, the daemon's own user or the operator group";
    /// The queue is full.
    Overloaded "overloaded" 429 REFUSED "the daemon is overloaded" "try again after the seconds in Retry-After";
    /// The store takes no writes.
    ReadOnly "read-only" 503 REFUSED "the daemon is read-only" "the detail says why: a full disk, a read-only directory or a damaged store";
    /// The daemon is starting or stopping.
    Unavailable "unavailable" 503 REFUSED "the daemon is starting or stopping" "try again in a moment";
    /// No preset of this name.
    UnknownPreset "unknown-preset" 404 USAGE "there is no such preset" "mercer import --list shows the presets";
    /// The file lacks columns that the preset needs.
    MissingColumns "missing-columns" 422 FAILED "the file lacks columns" "the detail names them; is it the right preset and delimiter?";
    /// The file is damaged or truncated.
    BadFile "bad-file" 422 FAILED "the file cannot be read to its end" "the detail says where it breaks; nothing after that was read";
    /// Every line of the file was rejected.
    NothingImported "nothing-imported" 422 FAILED "no line of the file could be imported" "the report has the reasons and the first lines; is it the right preset or kind?";
    /// The file's format cannot be told or is not supported.
    UnknownFormat "unknown-format" 415 USAGE "the format of the file is not known" "formats: ndjson, csv, parquet, each also .gz or .zst";
    /// An encoder that is incomplete, of the wrong shape or of an unsafe format.
    BadEncoder "bad-encoder" 422 FAILED "the encoder cannot be used" "the detail names the file and what is wrong with it";
    /// A download failed.
    DownloadFailed "download-failed" 502 FAILED "the download failed" "check the name, the network and HF_ENDPOINT";
    /// The store belongs to a newer Mercer.
    NewerSchema "newer-schema" 500 REFUSED "the store was written by a newer Mercer" "use that version, or export there and import here";
    /// A second daemon on the same state.
    Locked "locked" 409 REFUSED "another daemon uses this state directory" "stop it first, or choose another --state";
    /// The socket is taken by a live daemon.
    SocketTaken "socket-taken" 409 REFUSED "a daemon already listens on this socket" "stop it first, or choose another --socket";
    /// The socket path does not fit.
    SocketPath "socket-path" 400 USAGE "the socket path cannot be used" "a Unix socket path has at most 107 bytes and a directory that exists";
    /// The state directory cannot be used.
    BadState "bad-state" 500 FAILED "the state directory cannot be used" "the detail names the directory and the reason";
    /// The configuration file is wrong.
    BadConfig "bad-config" 400 USAGE "the configuration is wrong" "the detail names the key";
    /// The document is not what was signed.
    BadSignature "bad-signature" 422 FAILED "the signature does not fit the document" "a byte was changed after signing: get the document again from where it was made";
    /// Signed with another key than the trusted one.
    ForeignSignature "foreign-signature" 422 FAILED "the document was signed by another installation" "mercer report verify FILE --key KEY checks against the public key of that installation; ask its operator for it";
    /// There is no signature.
    Unsigned "unsigned" 422 FAILED "the document is not signed" "exports carry a signature, or a file of the same name with .sig beside it";
    /// Two reports of different windows.
    DifferentWindows "different-windows" 409 REFUSED "the two reports are of different windows" "interactions came between the two computations: ask again";
    /// The privacy budget of exports is spent.
    ExportBudgetSpent "export-budget-spent" 429 REFUSED "the privacy budget of exports is spent" "wait for the next day (UTC), raise reports.export_budget, or export exact numbers as an operator: --exact";
    /// A file that would be overwritten.
    FileExists "file-exists" 409 REFUSED "the file exists already" "name another file, or overwrite it with --force";
    /// No daemon answers.
    NotRunning "not-running" 503 NOT_RUNNING "no daemon answers on the socket" "start one: mercerd --state DIR --socket PATH";
    /// The daemon broke.
    Internal "internal" 500 FAILED "the daemon failed" "the daemon's log has the details; please report it";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// `urn:mercer:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The title of the code's row.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable code.
    pub code: Code,
    /// What to do about it.
    pub hint: String,
    /// Seconds after which a retry makes sense, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this code with what happened this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:mercer:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            hint: code.hint().to_owned(),
            retry_after: None,
        }
    }

    /// The same, worth a retry after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sound() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!((400..600).contains(&code.status()), "{code}");
            assert!((1..=4).contains(&code.exit()), "{code}");
            assert!(!code.hint().is_empty() && !code.title().is_empty());
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&json).unwrap(), *code);
        }
    }
}
