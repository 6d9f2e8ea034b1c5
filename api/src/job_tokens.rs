//! Job tokens: what lets a container read and write its own ticket and nothing else.
//!
//! A token names a job, an attempt and when it expires, and is signed with HMAC-SHA256 under a key derived from the
//! secret key. It carries no secret of its own; every use checks in the database whether the attempt is still running,
//! so that a token is valid no longer than its attempt.

use crate::sealing::Sealer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use std::time::Duration;
use terarchitect_worker_api::JobId;
use uuid::Uuid;

/// What every token begins with, so that it is recognised wherever it appears.
const PREFIX: &str = "tajt1.";
/// Job id, attempt and expiry.
const PAYLOAD_BYTES: usize = 16 + 4 + 8;
const MAC_BYTES: usize = 32;

/// Makes and reads job tokens.
#[derive(Debug)]
pub struct JobTokens {
    key: SecretBox<[u8; 32]>,
}

/// What a token gives access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobToken {
    /// The job.
    pub job_id: JobId,
    /// The attempt.
    pub attempt: i32,
}

impl JobTokens {
    /// Tokens under a key derived from the secret key.
    #[must_use]
    pub fn new(sealer: &Sealer) -> Self {
        Self { key: sealer.derive("job tokens") }
    }

    /// A token for an attempt that has just been claimed. It expires at the latest after `lifetime`.
    #[must_use]
    pub fn issue(&self, job: JobId, attempt: i32, lifetime: Duration) -> String {
        let expires = Utc::now().timestamp().saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        let mut bytes = Vec::with_capacity(PAYLOAD_BYTES + MAC_BYTES);
        bytes.extend_from_slice(job.0.as_bytes());
        bytes.extend_from_slice(&attempt.to_be_bytes());
        bytes.extend_from_slice(&expires.to_be_bytes());
        let mac = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a token gives access to; none if this API did not issue it, or it was changed or has expired.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<JobToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (payload, mac) = bytes.split_at_checked(PAYLOAD_BYTES)?;
        self.mac(payload).verify_slice(mac).ok()?;
        let job_id = JobId(Uuid::from_slice(payload.get(..16)?).ok()?);
        let attempt = i32::from_be_bytes(payload.get(16..20)?.try_into().ok()?);
        let expires = i64::from_be_bytes(payload.get(20..28)?.try_into().ok()?);
        (Utc::now().timestamp() < expires).then_some(JobToken { job_id, attempt })
    }

    fn mac(&self, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).expect("HMAC takes keys of any length");
        mac.update(payload);
        mac
    }
}

/// Whether this has the form of a job token, so that a refusal can say so.
#[must_use]
pub fn is_job_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(key: u8) -> JobTokens {
        JobTokens::new(&Sealer::new([key; 32]))
    }

    #[test]
    fn a_token_is_good_for_its_attempt_until_it_expires() {
        let job = JobId::new();
        let token = tokens(1).issue(job, 3, Duration::from_secs(60));
        assert_eq!(tokens(1).read(&token), Some(JobToken { job_id: job, attempt: 3 }));
        assert_eq!(tokens(2).read(&token), None, "another key");
        assert_eq!(tokens(1).read(&tokens(1).issue(job, 3, Duration::ZERO)), None, "expired");
    }

    #[test]
    fn a_changed_token_is_none() {
        let token = tokens(1).issue(JobId::new(), 1, Duration::from_secs(60));
        let bytes = URL_SAFE_NO_PAD.decode(&token[PREFIX.len()..]).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&changed));
            assert_eq!(tokens(1).read(&changed), None, "byte {place}");
        }
        for text in ["", "tajt1.", "tajt1.AAAA", &token[1..], &token[..token.len() - 1]] {
            assert_eq!(tokens(1).read(text), None, "{text}");
        }
    }
}
