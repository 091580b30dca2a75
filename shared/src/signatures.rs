//! Signed documents: canonical bytes, and the check of a signature without a daemon.
//!
//! A signature is Ed25519 (RFC 8032, strict verification) over the purpose, a zero byte and the bytes. The purpose is part of the message, so
//! that a signature for one purpose does not count for another. A signed JSON document carries its signature in the member `signature`; the
//! signed bytes are the canonical bytes of the document without it.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

use crate::hex::array_from_hex;
use crate::problem::{Code, Problem};
use crate::wire::{DocumentSignature, FileStatement};

/// The one algorithm.
pub const ALGORITHM: &str = "ed25519";
/// The member of a JSON document that holds its signature.
pub const MEMBER: &str = "signature";
/// Purpose of signatures of reports.
pub const REPORT: &str = "mercer report";
/// Purpose of signatures of receipts of erasures.
pub const RECEIPT: &str = "mercer erasure receipt";

/// The canonical bytes of a JSON value: members in the order of their names' bytes, no white space, numbers and strings as `serde_json`
/// writes them. The same value always gives the same bytes, also where a dependency keeps members in the order of the file.
#[must_use]
pub fn canonical_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_bytes());
            out.push(b'{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                out.push(b':');
                write_canonical(value, out);
            }
            out.push(b'}');
        }
        Value::Array(values) => {
            out.push(b'[');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_canonical(value, out);
            }
            out.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

/// The message that is signed.
#[must_use]
pub fn message(purpose: &str, bytes: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", bytes].concat()
}

/// What a signature is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The purpose.
    pub purpose: &'a str,
    /// The public key that is trusted, in hexadecimal.
    pub public_key: &'a str,
}

/// Checks a signature over bytes.
///
/// # Errors
/// `foreign-signature` if it was made with another key or for another purpose, `bad-signature` if the bytes are not those that were signed,
/// `bad-parameter` if the trusted key is none.
pub fn verify(bytes: &[u8], signature: &DocumentSignature, expected: Expected<'_>) -> Result<(), Problem> {
    let trusted = array_from_hex::<32>(expected.public_key)
        .and_then(|key| VerifyingKey::from_bytes(&key).ok())
        .filter(|key| !key.is_weak())
        .ok_or_else(|| {
            Problem::new(
                Code::BadParameter,
                format!("`{}` is no public key: it takes 64 hexadecimal digits", expected.public_key),
            )
        })?;
    let foreign = |detail: String| Err(Problem::new(Code::ForeignSignature, detail));
    if signature.algorithm != ALGORITHM {
        return foreign(format!("the signature is of the kind `{}`, known is {ALGORITHM}", signature.algorithm));
    }
    if signature.purpose != expected.purpose {
        return foreign(format!("it was signed as `{}`, not as `{}`", signature.purpose, expected.purpose));
    }
    if array_from_hex::<32>(&signature.public_key) != Some(trusted.to_bytes()) {
        return foreign(format!(
            "it was signed with the key {}, trusted is {}",
            signature.public_key, expected.public_key
        ));
    }
    let bad = || Problem::new(Code::BadSignature, "it is not what was signed");
    let value = array_from_hex::<64>(&signature.value).ok_or_else(bad)?;
    trusted.verify_strict(&message(expected.purpose, bytes), &Signature::from_bytes(&value)).map_err(|_| bad())
}

/// Checks a signed JSON document and returns it without its signature.
///
/// # Errors
/// `unsigned` without a signature, `bad-signature` also for a member that stands there twice, and as [`verify`].
pub fn verify_document(file: &[u8], expected: Expected<'_>) -> Result<Value, Problem> {
    let mut document: Value = serde_json::from_slice(file)
        .map_err(|error| Problem::new(Code::BadSignature, format!("it is no JSON document any more: {error}")))?;
    let whole = canonical_bytes(&document);
    let signature = document
        .as_object_mut()
        .and_then(|members| members.remove(MEMBER))
        .ok_or_else(|| Problem::new(Code::Unsigned, "the document has no member `signature`"))?;
    let signature: DocumentSignature = serde_json::from_value(signature)
        .map_err(|error| Problem::new(Code::BadSignature, format!("its signature cannot be read: {error}")))?;
    // Order and white space may differ: a program may have written the document anew. But a reader may take the first of two members of
    // one name where this one takes the last, so whatever the canonical form does not need is a change.
    if significant(file) != whole.len() {
        let detail = "it holds more than what was signed: a member twice, or a value written in a longer form";
        // Who signed it comes first: a document of another installation is no changed one of ours.
        verify(&canonical_bytes(&document), &signature, expected)?;
        return Err(Problem::new(Code::BadSignature, detail));
    }
    verify(&canonical_bytes(&document), &signature, expected)?;
    Ok(document)
}

/// Number of bytes of a JSON text outside of white space between its tokens.
fn significant(text: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for &byte in text {
        match byte {
            b'"' if !escaped => inside = !inside,
            b' ' | b'\t' | b'\n' | b'\r' if !inside => continue,
            _ => {}
        }
        escaped = inside && byte == b'\\' && !escaped;
        count += 1;
    }
    count
}

/// BLAKE3 of a file, in hexadecimal.
#[must_use]
pub fn file_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Checks a file against the signed statement beside it.
///
/// # Errors
/// As [`verify_document`] for the statement; `bad-signature` if the file is not the one that it names.
pub fn verify_file(file: &[u8], statement: &[u8], expected: Expected<'_>) -> Result<FileStatement, Problem> {
    let statement = verify_document(statement, expected)?;
    let statement: FileStatement = serde_json::from_value(statement)
        .map_err(|error| Problem::new(Code::BadSignature, format!("the statement is of another form: {error}")))?;
    if statement.bytes != file.len() as u64 || statement.blake3 != file_hash(file) {
        let detail = "the file is not the one that was signed: its bytes have another hash";
        return Err(Problem::new(Code::BadSignature, detail));
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    use super::*;
    use crate::hex::to_hex;

    fn signed(key: &SigningKey, purpose: &str, document: &Value) -> Vec<u8> {
        let bytes = canonical_bytes(document);
        let signature = DocumentSignature {
            algorithm: ALGORITHM.to_owned(),
            purpose: purpose.to_owned(),
            public_key: to_hex(key.verifying_key().as_bytes()),
            value: to_hex(&key.sign(&message(purpose, &bytes)).to_bytes()),
        };
        let mut document = document.clone();
        document[MEMBER] = serde_json::to_value(signature).unwrap();
        canonical_bytes(&document)
    }

    fn code(file: &[u8], key: &SigningKey) -> Option<Code> {
        let public_key = to_hex(key.verifying_key().as_bytes());
        verify_document(file, Expected { purpose: REPORT, public_key: &public_key }).err().map(|problem| problem.code)
    }

    #[test]
    fn canonical_bytes_do_not_depend_on_order_and_white_space() {
        let one: Value =
            serde_json::from_str("{ \"b\": [1, 2.5, null],\n \"a\": {\"é\\u0001\": \"\\\"\"}, \"A\": -0.1 }").unwrap();
        let other: Value =
            serde_json::from_str("{\"A\":-0.1,\"a\":{\"é\\u0001\":\"\\\"\"},\"b\":[1,2.5,null]}").unwrap();
        assert_eq!(canonical_bytes(&one), canonical_bytes(&other));
        assert_eq!(
            String::from_utf8(canonical_bytes(&one)).unwrap(),
            "{\"A\":-0.1,\"a\":{\"é\\u0001\":\"\\\"\"},\"b\":[1,2.5,null]}"
        );
        assert_ne!(canonical_bytes(&json!({"a": 1})), canonical_bytes(&json!({"a": 1.0})));
    }

    #[test]
    fn rfc_8032_test_1_and_2() {
        for (secret, public, message, value) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                &b""[..],
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                &b"\x72"[..],
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
        ] {
            let key = SigningKey::from_bytes(&array_from_hex(secret).unwrap());
            assert_eq!(to_hex(key.verifying_key().as_bytes()), public);
            assert_eq!(to_hex(&key.sign(message).to_bytes()), value);
        }
    }

    #[test]
    fn each_failure_has_its_code() {
        let (ours, theirs) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let document = json!({"rows": [{"name": "ndcg@10", "value": 0.25}], "kind": "quality"});
        let file = signed(&ours, REPORT, &document);
        assert_eq!(code(&file, &ours), None);
        assert_eq!(code(&[&file[..], b"\n"].concat(), &ours), None);
        let parsed: Value = serde_json::from_slice(&file).unwrap();
        assert_eq!(code(&serde_json::to_vec_pretty(&parsed).unwrap(), &ours), None, "indented");
        assert_eq!(code(&file, &theirs), Some(Code::ForeignSignature));
        assert_eq!(code(&signed(&ours, RECEIPT, &document), &ours), Some(Code::ForeignSignature));
        assert_eq!(code(&canonical_bytes(&document), &ours), Some(Code::Unsigned));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(code(&changed, &ours).is_some(), "byte {at} changed without a word");
        }
        let changed = String::from_utf8(file.clone()).unwrap().replace("0.25", "0.26");
        assert_eq!(code(changed.as_bytes(), &ours), Some(Code::BadSignature));
        // A second member of the same name: one reader takes the first, another the last.
        let twice = String::from_utf8(file).unwrap().replacen("{\"kind\":", "{\"kind\":\"fairness\",\"kind\":", 1);
        assert_eq!(code(twice.as_bytes(), &ours), Some(Code::BadSignature));
        let wrong = verify_document(&signed(&ours, REPORT, &document), Expected { purpose: REPORT, public_key: "xyz" });
        assert_eq!(wrong.unwrap_err().code, Code::BadParameter);
    }
}
