//! How much a project's memory takes and returns in one request.

use crate::domain::refusal::Refusal;

/// The most documents or questions in one request.
const MAX_ITEMS: usize = 1_000;
/// The largest document, in bytes. Postgres indexes no more than 1 MiB of words for one document.
const MAX_DOC_BYTES: usize = 256 * 1024;
/// The longest question, in bytes.
const MAX_QUERY_BYTES: usize = 16 * 1024;
/// How many documents to return where the request does not say.
const DEFAULT_TO_RETRIEVE: u32 = 5;
/// The most documents to return for one question.
const MAX_TO_RETRIEVE: u32 = 100;

/// How many questions of one request are asked by their meaning, too: each is compared with every document.
pub const MOST_MEANT: usize = 16;

/// Checks documents to store or delete.
///
/// # Errors
/// When there are too many, or one is too large or empty.
pub fn check_docs(docs: Vec<String>) -> Result<Vec<String>, Refusal> {
    if docs.len() > MAX_ITEMS || docs.iter().any(|doc| doc.len() > MAX_DOC_BYTES) {
        let kib = MAX_DOC_BYTES / 1024;
        return Err(Refusal::invalid(format!("Send at most {MAX_ITEMS} 'docs' of at most {kib} KiB each.")));
    }
    if docs.iter().any(|doc| doc.trim().is_empty()) {
        return Err(Refusal::invalid("None of the 'docs' may be empty."));
    }
    Ok(docs)
}

/// Checks questions.
///
/// # Errors
/// When there are too many, or one is too long.
pub fn check_queries(queries: &[String]) -> Result<(), Refusal> {
    if queries.len() > MAX_ITEMS || queries.iter().any(|query| query.len() > MAX_QUERY_BYTES) {
        let kib = MAX_QUERY_BYTES / 1024;
        return Err(Refusal::invalid(format!("Send at most {MAX_ITEMS} 'queries' of at most {kib} KiB each.")));
    }
    Ok(())
}

/// How many documents to return for each question.
#[must_use]
pub fn to_retrieve(wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(DEFAULT_TO_RETRIEVE).clamp(1, MAX_TO_RETRIEVE)
}
