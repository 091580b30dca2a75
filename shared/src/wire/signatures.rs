//! Signatures of documents that leave the host.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The response header of an exported file that carries the signed statement for the file beside it.
pub const STATEMENT_HEADER: &str = "mercer-statement";

/// A signature by a key of the installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentSignature {
    /// `ed25519`.
    pub algorithm: String,
    /// What the key signs, such as `mercer report`: each purpose has a key of its own.
    pub purpose: String,
    /// Public key, 64 hexadecimal digits. It says which key was used, not that the key is to be trusted: compare it with one that you know.
    pub public_key: String,
    /// Signature over the purpose, a zero byte and the canonical bytes of the document; 128 hexadecimal digits.
    pub value: String,
}

/// What is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignedKind {
    /// Exported reports.
    #[default]
    Report,
    /// Receipts of erasures.
    Receipt,
}

/// Which key is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct KeyQuery {
    /// The key for what; `report` if absent.
    #[serde(rename = "for")]
    pub of: SignedKind,
}

/// The public key by which signatures of an installation are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublicKey {
    /// `ed25519`.
    pub algorithm: String,
    /// What it signs.
    pub purpose: String,
    /// 64 hexadecimal digits.
    pub public_key: String,
}
