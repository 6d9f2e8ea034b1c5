//! Limits and checks of texts that people type, each with the sentence that says what is wrong.

use crate::domain::refusal::Refusal;
use std::collections::HashSet;
use url::Url;

/// The longest name or title, in characters.
pub const MAX_TITLE_CHARS: usize = 500;
/// The longest description, note or other long text, in bytes.
pub const MAX_TEXT_BYTES: usize = 512 * 1024;
/// The longest URL or path, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 2_048;
/// The most graph nodes or edges that a ticket or note can name.
pub const MAX_ASSOCIATIONS: usize = 10_000;

/// A name or title: not blank, not too long. Returns it trimmed.
///
/// # Errors
/// A sentence that names the field.
pub fn title(field: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::invalid(format!("'{field}' must not be empty.")));
    }
    if text.chars().count() > MAX_TITLE_CHARS {
        return Err(Refusal::invalid(format!("'{field}' is longer than {MAX_TITLE_CHARS} characters.")));
    }
    Ok(text.to_owned())
}

/// A long text: not too long.
///
/// # Errors
/// A sentence that names the field.
pub fn long_text(field: &str, text: String) -> Result<String, Refusal> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Refusal::invalid(format!("'{field}' is larger than {} KiB.", MAX_TEXT_BYTES / 1024)));
    }
    Ok(text)
}

/// A list of graph ids: not too many, none too long. One that is named repeatedly is kept once, in its first place.
///
/// # Errors
/// A sentence that names the field.
pub fn associations(field: &str, mut ids: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if ids.len() > MAX_ASSOCIATIONS || ids.iter().any(|id| id.len() > MAX_ADDRESS_BYTES) {
        return Err(Refusal::invalid(format!("'{field}' contains too many ids, or an id that is too long.")));
    }
    Ok(ids)
}

/// A repository's address: `https://…`, `http://…`, `ssh://…` or `git@host:owner/repo`, without credentials in it.
/// An empty text is none.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn repository_url(field: &str, text: &str) -> Result<Option<String>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let example = "such as https://github.com/owner/repo";
    if text.len() > MAX_ADDRESS_BYTES || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Refusal::invalid(format!("'{field}' must be the address of a Git repository, {example}.")));
    }
    if let Some((user_host, path)) = text.split_once(':')
        && user_host.contains('@')
        && !text.contains("://")
        && !path.is_empty()
    {
        return Ok(Some(text.to_owned()));
    }
    let url: Url = text
        .parse()
        .map_err(|_| Refusal::invalid(format!("'{field}' must be the address of a Git repository, {example}.")))?;
    if !matches!(url.scheme(), "http" | "https" | "ssh" | "git") || url.host_str().is_none() {
        return Err(Refusal::invalid(format!("'{field}' must start with https://, http:// or ssh://, {example}.")));
    }
    if url.password().is_some() || (url.scheme().starts_with("http") && !url.username().is_empty()) {
        return Err(Refusal::invalid(format!(
            "'{field}' must not contain a user or token; put the token into the setting github_agent_token."
        )));
    }
    Ok(Some(text.to_owned()))
}

/// An absolute path of a checkout; an empty text is none.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn project_path(text: &str) -> Result<Option<String>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.starts_with('/') || text.len() > MAX_ADDRESS_BYTES {
        return Err(Refusal::invalid("'project_path' must be an absolute path on the coordinator's machine."));
    }
    Ok(Some(text.to_owned()))
}

/// The name of a container image, such as `registry/name:tag`. Returns it trimmed.
///
/// # Errors
/// A sentence that names the field.
pub fn image(field: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    if text.is_empty() || text.len() > 255 || text.starts_with('-') || !text.bytes().all(plain) {
        return Err(Refusal::invalid(format!(
            "'{field}' must be the name of a container image, such as terarchitect-agent:latest."
        )));
    }
    Ok(text.to_owned())
}
