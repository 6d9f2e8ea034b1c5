//! The secret key in a backup, encrypted with a key that Argon2id derives from a passphrase; and where passphrases come
//! from.

use crate::config::PassphraseOptions;
use crate::sealing::Sealer;
use anyhow::{Context, bail, ensure};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;

/// What deriving a key costs: 64 MiB and three passes, the second choice of RFC 9106.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// The most memory that a file may ask for, in KiB.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;
const PURPOSE: &[u8] = b"terarchitect backup key";

/// A secret key, encrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Names the key.
    pub key_id: String,
    memory_kib: u32,
    passes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

impl WrappedKey {
    /// Encrypts the key of a sealer.
    ///
    /// # Errors
    /// When no key can be derived.
    pub fn wrap(sealer: &Sealer, passphrase: &SecretString) -> anyhow::Result<Self> {
        let (salt, nonce): ([u8; 16], [u8; 24]) = (rand::random(), rand::random());
        let cipher = cipher(passphrase, &salt, MEMORY_KIB, PASSES)?;
        let payload = Payload { msg: sealer.key(), aad: PURPOSE };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).ok().context("could not encrypt the secret key")?;
        Ok(Self {
            key_id: sealer.key_id().to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: STANDARD.encode(salt),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed),
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the passphrase is another one.
    pub fn open(&self, passphrase: &SecretString) -> anyhow::Result<Sealer> {
        ensure!(
            self.memory_kib <= MAX_MEMORY_KIB && self.passes <= MAX_PASSES,
            "the secret key in the backup would take too much memory to open; use a backup that this program wrote"
        );
        let decode = |text: &str| STANDARD.decode(text).context("the secret key in the backup is damaged");
        let cipher = cipher(passphrase, &decode(&self.salt)?, self.memory_kib, self.passes)?;
        let nonce: [u8; 24] =
            decode(&self.nonce)?.try_into().ok().context("the secret key in the backup is damaged")?;
        let sealed = decode(&self.sealed)?;
        let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: PURPOSE });
        let key = opened.ok().and_then(|key| key.try_into().ok());
        key.map(Sealer::new)
            .context("the passphrase is not the one that the backup was written with; nothing was changed")
    }
}

fn cipher(passphrase: &SecretString, salt: &[u8], memory_kib: u32, passes: u32) -> anyhow::Result<XChaCha20Poly1305> {
    let failed = "could not derive a key from the passphrase";
    let params = Params::new(memory_kib, passes, 1, Some(32)).ok().context(failed)?;
    let mut key = SecretBox::new(Box::new([0; 32]));
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let to = secrecy::ExposeSecretMut::expose_secret_mut(&mut key);
    argon.hash_password_into(passphrase.expose_secret().as_bytes(), salt, to).ok().context(failed)?;
    Ok(XChaCha20Poly1305::new(key.expose_secret().into()))
}

/// The passphrase, from an option, a file, or the terminal, where a new one is asked for twice.
///
/// # Errors
/// When there is none, or it is empty.
pub(super) fn passphrase(options: &PassphraseOptions, new: bool) -> anyhow::Result<SecretString> {
    let given = match (&options.passphrase_file, &options.passphrase) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("could not read the passphrase file {}", path.display()))?;
            SecretString::from(text.lines().next().unwrap_or_default().to_owned())
        }
        (None, Some(passphrase)) => passphrase.clone(),
        (None, None) => ask(new)?,
    };
    ensure!(!given.expose_secret().is_empty(), "the passphrase is empty; give one of at least a few words");
    Ok(given)
}

fn ask(new: bool) -> anyhow::Result<SecretString> {
    if !std::io::stderr().is_terminal() {
        bail!(
            "the secret key in the backup needs a passphrase; set TERARCHITECT_BACKUP_PASSPHRASE or --passphrase-file"
        );
    }
    let read =
        |text: &str| rpassword::prompt_password(text).map(SecretString::from).context("could not read the passphrase");
    let first = read("Passphrase of the backup: ")?;
    if new {
        let second = read("The same once more: ")?;
        ensure!(
            first.expose_secret() == second.expose_secret(),
            "the two passphrases differ; run the command once more"
        );
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_with_its_passphrase_alone() {
        let sealer = Sealer::new([7; 32]);
        let wrapped = WrappedKey::wrap(&sealer, &"correct horse ü".to_owned().into()).unwrap();
        assert_eq!(wrapped.open(&"correct horse ü".to_owned().into()).unwrap().key(), sealer.key());
        let wrong = wrapped.open(&"correct horse".to_owned().into()).unwrap_err();
        assert!(wrong.to_string().starts_with("the passphrase is not the one"), "{wrong}");
        let greedy = WrappedKey { memory_kib: u32::MAX, ..wrapped };
        assert!(greedy.open(&"correct horse ü".to_owned().into()).is_err());
    }
}
