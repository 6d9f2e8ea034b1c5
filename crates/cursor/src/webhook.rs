//! Cursor's webhook: whether a delivery is genuine, and what it says.

use crate::Status;
use crate::types::{repository, text};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

/// The least characters of a secret that Cursor takes.
pub const MIN_SECRET_CHARS: usize = 32;
/// The most.
const MAX_SECRET_CHARS: usize = 256;
/// What the secret that is made of a key is for, so that no other secret made of the same key is the same.
const PURPOSE: &[u8] = b"terarchitect: secret of Cursor's webhook, 1";

/// Whether Cursor takes this text as a secret.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    (MIN_SECRET_CHARS..=MAX_SECRET_CHARS).contains(&text.chars().count())
}

/// A secret for the webhook that is made of another key, which can't be learned from it.
#[must_use]
pub fn derive_secret(key: &SecretString) -> SecretString {
    hex::encode(hmac(key.expose_secret().as_bytes(), PURPOSE).finalize().into_bytes()).into()
}

/// Whether the signature, `sha256=` and 64 hexadecimal digits, is that of these bytes. Compared in constant time.
#[must_use]
pub fn is_genuine(secret: &SecretString, signature: &str, body: &[u8]) -> bool {
    let Some(Ok(signature)) = signature.trim().strip_prefix("sha256=").map(hex::decode) else { return false };
    hmac(secret.expose_secret().as_bytes(), body).verify_slice(&signature).is_ok()
}

fn hmac(key: &[u8], bytes: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac
}

/// A body that is not what Cursor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is not a JSON object with an agent's 'id'")]
pub struct Unreadable;

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The event; `statusChange` is the only one so far.
    pub event: String,
    /// The agent.
    pub agent: String,
    /// How its work stands; none where the event is about something else.
    pub status: Option<Status>,
    /// When it was so, as Cursor wrote it.
    pub timestamp: Option<String>,
    /// The repository, with a scheme.
    pub repository: Option<String>,
    /// The branch with its work.
    pub branch: Option<String>,
    /// The pull request, which may be missing even where there is one.
    pub pull: Option<String>,
    /// What the agent says about its work, or why it failed.
    pub summary: Option<String>,
}

impl Notice {
    /// Reads a delivery, leniently: all but the agent may be missing.
    ///
    /// # Errors
    /// It names no agent.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let (data, target) = (&body["data"], &body["target"]);
        let first = |all: [&Value; 2]| all.into_iter().find_map(text);
        let status = first([&body["status"], &data["status"]]);
        Ok(Self {
            event: text(&body["event"]).unwrap_or_else(|| "statusChange".to_owned()),
            agent: text(&body["id"]).ok_or(Unreadable)?,
            status: status.map(|status| Status::parse(&status)),
            timestamp: text(&body["timestamp"]),
            repository: repository(&body["source"]["repository"]),
            branch: text(&target["branchName"]),
            pull: first([&target["prUrl"], &target["pr_url"]]),
            summary: text(&body["summary"])
                .or_else(|| first([&body["error_message"], &body["error"]]))
                .or_else(|| text(&body["message"])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_signature_is_that_of_the_raw_bytes() {
        // RFC 4231, test case 2, in lower and upper case.
        let digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        let genuine = |signature: &str, body: &[u8]| is_genuine(&"Jefe".into(), signature, body);
        assert!(genuine(&format!("sha256={digits}"), body));
        assert!(genuine(&format!("sha256={}", digits.to_uppercase()), body));
        for forged in
            [digits.to_owned(), format!("sha256={}", &digits[2..]), "sha256=".into(), "sha256=zz".into(), "".into()]
        {
            assert!(!genuine(&forged, body), "{forged}");
        }
        assert!(!genuine(&format!("sha256={digits}"), b"what do ya want for nothing? "));
    }

    #[test]
    fn a_secret_is_made_of_a_key_that_it_does_not_show() {
        let (one, other) = (derive_secret(&"key".into()), derive_secret(&"other".into()));
        assert!(is_secret(one.expose_secret()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret(), derive_secret(&"key".into()).expose_secret());
        assert!(!is_secret("short") && !is_secret(&"x".repeat(257)));
    }

    #[test]
    fn a_delivery_is_read_as_documented_and_as_seen() {
        let documented = json!({
            "event": "statusChange", "timestamp": "2025-01-15T10:30:00Z", "id": "bc_abc123", "status": "FINISHED",
            "source": {"repository": "https://github.com/org/repo", "ref": "main"},
            "target": {"url": "https://cursor.com/agents?id=bc_abc123", "branchName": "cursor/task-1234",
                "prUrl": "https://github.com/org/repo/pull/42"},
            "summary": "Completed the refactoring...",
        });
        let notice = Notice::read(documented.to_string().as_bytes()).unwrap();
        assert_eq!((notice.agent.as_str(), notice.status), ("bc_abc123", Some(Status::Finished)));
        assert_eq!(notice.pull.as_deref(), Some("https://github.com/org/repo/pull/42"));
        let seen = json!({
            "event": "statusChange", "id": "bc_1", "name": "Refactor", "status": "ERROR",
            "source": {"repository": "github.com/org/repo"}, "target": {"branchName": "b"},
        });
        let notice = Notice::read(seen.to_string().as_bytes()).unwrap();
        assert_eq!(notice.repository.as_deref(), Some("https://github.com/org/repo"));
        assert_eq!((notice.pull, notice.summary, notice.status), (None, None, Some(Status::Error)));
    }

    #[test]
    fn what_names_no_agent_is_not_read() {
        for body in ["", "null", "[]", "{\"id\": 7}", "{\"id\": \" \"}", "{\"status\": \"FINISHED\"}"] {
            assert_eq!(Notice::read(body.as_bytes()), Err(Unreadable), "{body}");
        }
    }
}
