//! What a runner reports when it has completed its ticket.

use crate::domain::refusal::Refusal;
use crate::domain::text;
use terarchitect_worker_api::CompleteTicketRequest;

/// The longest summary that becomes part of the project's memory, in bytes.
const MAX_MEMORY_BYTES: usize = 64 * 1024;

/// Checks the pull request of a completion.
///
/// # Errors
/// When its address or number is not valid.
pub fn check(request: &CompleteTicketRequest) -> Result<(), Refusal> {
    if let Some(url) = request.pr_url.as_deref().filter(|url| !url.is_empty()) {
        let parsed = url.parse::<url::Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if parsed.is_none() || url.len() > text::MAX_ADDRESS_BYTES {
            return Err(Refusal::invalid("'pr_url' must be an address that starts with http:// or https://."));
        }
    }
    if request.pr_number.is_some_and(|number| number < 1) {
        return Err(Refusal::invalid("'pr_number' must be a positive number."));
    }
    Ok(())
}

/// What the project's memory keeps of a completed ticket.
#[must_use]
pub fn memory_document(title: &str, summary: Option<&str>) -> Option<String> {
    let summary = summary.map(str::trim).filter(|summary| !summary.is_empty() && summary.len() <= MAX_MEMORY_BYTES)?;
    Some(format!("{title}: {summary}"))
}
