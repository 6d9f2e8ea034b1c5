//! Passwords are stored as Argon2id hashes. Hashing takes memory and time on purpose, so it happens on threads for
//! blocking work, a few at a time, and a crowd of sign-ins is refused before it fills the memory.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Memory in KiB, passes, lanes.
type Cost = (u32, u32, u32);

/// What hashing costs: OWASP's first choice, 19 MiB and two passes.
const COST: Cost = (19_456, 2, 1);
/// The most that a stored hash may cost, so that a row that was written by hand can't stop the API.
const MAX_COST: Cost = (1 << 20, 64, 16);
const HASH_BYTES: usize = 32;
/// How many are hashed at once.
const AT_ONCE: usize = 2;
/// How many wait or are hashed at once; one more is refused.
const IN_LINE: usize = 40;

/// Hashes passwords and compares them with hashes.
#[derive(Clone, Debug)]
pub struct Passwords {
    line: Arc<Semaphore>,
    hashing: Arc<Semaphore>,
}

/// Why no password was hashed.
#[derive(Debug, thiserror::Error)]
pub enum NotHashed {
    /// Too many wait already.
    #[error("too many passwords are being checked at once")]
    Crowded,
    /// The hash function or the thread failed.
    #[error("could not hash a password")]
    Failed,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { line: Arc::new(Semaphore::new(IN_LINE)), hashing: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// What is stored of a password, with its costs and its salt.
    ///
    /// # Errors
    /// When too many are being hashed.
    pub async fn hash(&self, password: SecretString) -> Result<String, NotHashed> {
        self.run(move || {
            let salt: [u8; 16] = rand::random();
            let (memory, passes, lanes) = COST;
            let hash = derive(&password, &salt, COST)?;
            let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash.expose_secret()));
            Some(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"))
        })
        .await?
        .ok_or(NotHashed::Failed)
    }

    /// Whether this is the password of a stored hash. Without one it takes the same time and is not.
    ///
    /// # Errors
    /// When too many are being hashed.
    pub async fn matches(&self, password: SecretString, stored: Option<String>) -> Result<bool, NotHashed> {
        self.run(move || match stored.as_deref().and_then(parse) {
            Some((cost, salt, hash)) => {
                derive(&password, &salt, cost).is_some_and(|made| made.expose_secret().as_slice().ct_eq(&hash).into())
            }
            None => {
                // The work is the answer: who measures learns nothing.
                derive(&password, &[0; 16], COST);
                false
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotHashed> {
        let _in_line = self.line.clone().try_acquire_owned().map_err(|_| NotHashed::Crowded)?;
        let hashing = self.hashing.clone().acquire_owned().await.map_err(|_| NotHashed::Failed)?;
        // The permit goes along: a request that is given up leaves its thread working.
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(hashing);
            done
        });
        task.await.map_err(|_| NotHashed::Failed)
    }
}

fn derive(password: &SecretString, salt: &[u8], (memory, passes, lanes): Cost) -> Option<SecretBox<[u8; HASH_BYTES]>> {
    let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut hash = SecretBox::new(Box::new([0; HASH_BYTES]));
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(password.expose_secret().as_bytes(), salt, hash.expose_secret_mut()).ok()?;
    Some(hash)
}

/// A stored hash, taken apart: its cost, its salt, and the hash itself.
type Stored = (Cost, Vec<u8>, Vec<u8>);

/// Takes apart what [`Passwords::hash`] made.
fn parse(stored: &str) -> Option<Stored> {
    let rest = stored.strip_prefix("$argon2id$v=19$")?;
    let mut parts = rest.split('$');
    let mut costs = parts.next()?.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let cost = (cost("m=")?, cost("t=")?, cost("p=")?);
    let (salt, hash) = (STANDARD_NO_PAD.decode(parts.next()?).ok()?, STANDARD_NO_PAD.decode(parts.next()?).ok()?);
    let affordable = cost.0 <= MAX_COST.0 && cost.1 <= MAX_COST.1 && cost.2 <= MAX_COST.2;
    (affordable && parts.next().is_none()).then_some((cost, salt, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_and_no_other() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(stored, passwords.hash("correct horse".into()).await.unwrap());
        assert!(passwords.matches("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.matches("correct house".into(), Some(stored)).await.unwrap());
        assert!(!passwords.matches("correct horse".into(), None).await.unwrap());
        assert!(!passwords.matches("".into(), Some("$argon2id$v=19$m=4000000000,t=1,p=1$$".into())).await.unwrap());
    }

    #[tokio::test]
    async fn a_crowd_is_refused_before_it_takes_memory() {
        let passwords = Passwords { line: Arc::new(Semaphore::new(0)), hashing: Arc::new(Semaphore::new(1)) };
        assert!(matches!(passwords.matches("x".into(), None).await, Err(NotHashed::Crowded)));
    }
}
