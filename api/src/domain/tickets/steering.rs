//! What people may write to an agent, and what runners may store of its changes.

use crate::domain::refusal::Refusal;
use serde_json::Value;
use terarchitect_worker_api::{EntryData, StoreDiffRequest};

/// The longest message, in bytes.
const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// The longest id of a commit, in bytes.
const MAX_COMMIT_BYTES: usize = 100;

/// A message as it is stored.
///
/// # Errors
/// When it is empty or too long.
pub fn message(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::invalid("'text' must not be empty: write what the agent should know or do."));
    }
    if text.len() > MAX_MESSAGE_BYTES {
        let limit = MAX_MESSAGE_BYTES / 1024;
        return Err(Refusal::invalid(format!("The message is larger than {limit} KiB; shorten it.")));
    }
    Ok(text.to_owned())
}

/// Checks a diff, whatever sent it.
///
/// # Errors
/// When something of it is too long or negative.
pub fn check_diff(diff: &StoreDiffRequest) -> Result<(), Refusal> {
    if diff.patch.len() > StoreDiffRequest::MAX_PATCH_BYTES {
        let limit = StoreDiffRequest::MAX_PATCH_BYTES / (1024 * 1024);
        let sentence = format!("'patch' is larger than {limit} MiB; leave out its end, and set 'truncated'.");
        return Err(Refusal::invalid(sentence));
    }
    let ids = [&diff.commit, &diff.base];
    if ids.into_iter().flatten().any(|id| id.len() > MAX_COMMIT_BYTES) {
        return Err(Refusal::invalid("'commit' and 'base' must be ids of commits."));
    }
    if [diff.files, diff.added, diff.removed, diff.turn.unwrap_or(0)].iter().any(|number| *number < 0) {
        return Err(Refusal::invalid("'turn', 'files', 'added' and 'removed' must not be negative."));
    }
    Ok(())
}

/// Checks what an entry is about.
///
/// # Errors
/// When it is no object, or too large.
pub fn check_data(data: &Value) -> Result<(), Refusal> {
    if !data.is_object() || data.to_string().len() > EntryData::MAX_BYTES {
        let limit = EntryData::MAX_BYTES / 1024;
        return Err(Refusal::invalid(format!("'data' must be a JSON object of at most {limit} KiB.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_has_words_and_an_end() {
        assert_eq!(message(" Use tabs.\n").as_deref(), Ok("Use tabs."));
        assert!(message(" \n").is_err() && message(&"x".repeat(MAX_MESSAGE_BYTES + 1)).is_err());
    }

    #[test]
    fn data_is_an_object_and_small() {
        assert!(check_data(&json!({"kind": "later"})).is_ok());
        for refused in [json!([1]), json!("x"), json!({"x": "y".repeat(EntryData::MAX_BYTES)})] {
            assert!(check_data(&refused).is_err());
        }
    }
}
