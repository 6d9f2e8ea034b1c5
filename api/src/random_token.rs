//! Secrets that the API hands out once and then recognises: 256 random bits, of which only the SHA-256 is stored. So
//! many bits can't be guessed from their hash, so no slow one is needed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What API tokens begin with, so that they are recognised wherever they appear.
pub const API_TOKEN_PREFIX: &str = "tat_";
/// How much of an API token is stored to be shown, so that a person can tell which one it is.
const SHOWN: usize = API_TOKEN_PREFIX.len() + 6;

/// A new secret.
#[derive(Debug)]
pub struct RandomToken(SecretString);

impl RandomToken {
    /// A session or a link.
    #[must_use]
    pub fn new() -> Self {
        Self::with_prefix("")
    }

    /// An API token.
    #[must_use]
    pub fn for_api() -> Self {
        Self::with_prefix(API_TOKEN_PREFIX)
    }

    fn with_prefix(prefix: &str) -> Self {
        let bits: [u8; 32] = rand::random();
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bits)).into())
    }

    /// To hand it out.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(self.text())
    }

    /// The part that may be shown later.
    #[must_use]
    pub fn shown(&self) -> String {
        self.text().chars().take(SHOWN).collect()
    }
}

impl Default for RandomToken {
    fn default() -> Self {
        Self::new()
    }
}

/// What is stored of a secret that someone presents.
#[must_use]
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The same in hexadecimal digits, for keys of tables that should not hold what people typed.
#[must_use]
pub fn hexadecimal_hash(text: &str) -> String {
    hash(text).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string can't fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_found_by_their_hash() {
        let (one, other) = (RandomToken::for_api(), RandomToken::for_api());
        assert_ne!(one.text(), other.text());
        assert_eq!(one.text().len(), API_TOKEN_PREFIX.len() + 43);
        assert_eq!(one.hash(), hash(one.text()));
        assert!(one.text().starts_with(&one.shown()) && one.shown().len() == 10);
        assert_eq!(format!("{one:?}").matches(&one.text()[4..]).count(), 0);
    }
}
