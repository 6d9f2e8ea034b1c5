//! Sealing of secret settings with XChaCha20-Poly1305, and the key that does it.
//!
//! A sealed value is a random nonce of 24 bytes followed by the ciphertext. The setting's name is authenticated with
//! it, so that a sealed value can't be moved to another setting.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const KEY_FILE: &str = "secret.key";

/// Why there is no usable key, or a value could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The variable does not hold a valid key.
    #[error(
        "TERARCHITECT_SECRET_KEY must be 32 bytes as 64 hexadecimal digits or as base64; create one with 'openssl rand -hex 32'"
    )]
    InvalidKey,
    /// The key file does not hold a valid key.
    #[error("{} does not hold a key of 32 bytes; restore it from a backup, since stored secrets can't be read without it", path.display())]
    InvalidKeyFile {
        /// The key file.
        path: PathBuf,
    },
    /// The key file can't be read or written.
    #[error("could not read or write the key file {}", path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A value was sealed with another key.
    #[error(
        "'{setting}' was encrypted with another secret key (id {stored}; this one has the id {own}); start the API with the TERARCHITECT_SECRET_KEY or the data directory that it was stored with"
    )]
    OtherKey {
        /// The setting.
        setting: String,
        /// The id of the key that sealed it.
        stored: String,
        /// The id of the key at hand.
        own: String,
    },
    /// A value is damaged.
    #[error(
        "the stored value of '{setting}' is damaged; restore the database from a backup, or delete its row (of the table settings, credentials, webhook_secrets or project_secrets) and set it again"
    )]
    Damaged {
        /// The setting.
        setting: String,
    },
}

/// Seals and opens secret settings.
pub struct Sealer {
    key: SecretBox<[u8; KEY_BYTES]>,
    key_id: String,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer with this key.
    #[must_use]
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::digest([b"terarchitect key id".as_slice(), &key].concat());
        let key_id = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key: SecretBox::new(Box::new(key)), key_id }
    }

    /// The sealer of the configured key, or else of the key in the data directory, which is created on first use.
    ///
    /// # Errors
    /// When the configured key is not valid, or the key file can't be read or created.
    pub fn from_config(configured: Option<&SecretString>, data_dir: &Path) -> Result<Self, SealingError> {
        if let Some(text) = configured {
            return parse_key(text.expose_secret()).map(Self::new).ok_or(SealingError::InvalidKey);
        }
        let path = data_dir.join(KEY_FILE);
        read_or_make_key(&path).map(Self::new)
    }

    /// The sealer of the configured key, or else of the key in the data directory; none if there is neither.
    ///
    /// # Errors
    /// When a key is not valid, or the key file can't be read.
    pub fn existing(configured: Option<&SecretString>, data_dir: &Path) -> Result<Option<Self>, SealingError> {
        let is_there = configured.is_some() || Self::key_file(data_dir).exists();
        if is_there { Self::from_config(configured, data_dir).map(Some) } else { Ok(None) }
    }

    /// Keeps this key in a data directory that has none.
    ///
    /// # Errors
    /// When the key file can't be written.
    pub fn keep(&self, data_dir: &Path) -> Result<(), SealingError> {
        let path = Self::key_file(data_dir);
        write_key(&path, self.key.expose_secret()).map_err(|source| SealingError::KeyFile { path, source })
    }

    /// Where the key of a data directory is.
    #[must_use]
    pub fn key_file(data_dir: &Path) -> PathBuf {
        data_dir.join(KEY_FILE)
    }

    /// The key itself, for a backup that wraps it.
    pub(crate) fn key(&self) -> &[u8; KEY_BYTES] {
        self.key.expose_secret()
    }

    /// Names the key without showing anything of it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Bytes for another purpose, derived from the key, so that one kept secret is enough.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        let digest = Sha256::digest([purpose.as_bytes(), b"\0", self.key.expose_secret()].concat());
        SecretBox::new(Box::new(digest.into()))
    }

    /// Seals a setting's value.
    #[must_use]
    pub fn seal(&self, setting: &str, value: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value.as_bytes(), aad: setting.as_bytes() };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("sealing fails only for values larger than 256 GiB, which no request can carry");
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// Opens a setting's value.
    ///
    /// # Errors
    /// When it was sealed with another key or for another setting, or is damaged.
    pub fn open(&self, setting: &str, key_id: &str, sealed: &[u8]) -> Result<SecretString, SealingError> {
        if key_id != self.key_id {
            return Err(SealingError::OtherKey {
                setting: setting.to_owned(),
                stored: key_id.to_owned(),
                own: self.key_id.clone(),
            });
        }
        let damaged = || SealingError::Damaged { setting: setting.to_owned() };
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| damaged())?;
        let payload = Payload { msg: ciphertext, aad: setting.as_bytes() };
        let bytes = self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| damaged())?;
        String::from_utf8(bytes).map(SecretString::from).map_err(|_| damaged())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose_secret().into())
    }
}

fn parse_key(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text = text.trim();
    if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut key = [0; KEY_BYTES];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn read_or_make_key(path: &Path) -> Result<[u8; KEY_BYTES], SealingError> {
    let failed = |source| SealingError::KeyFile { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) => {
            tighten(path).map_err(failed)?;
            parse_key(&text).ok_or_else(|| SealingError::InvalidKeyFile { path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key: [u8; KEY_BYTES] = rand::random();
            write_key(path, &key).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Written beside its place and renamed, so that a crash can't leave half a key.
fn write_key(path: &Path, key: &[u8; KEY_BYTES]) -> io::Result<()> {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = path.with_extension("key.new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn tighten(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:o}"),
            "the key file was readable by other users; restricting it to its owner"
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_under_its_name_and_key() {
        let sealer = Sealer::new([7; KEY_BYTES]);
        let sealed = sealer.seal("AGENT_API_KEY", "hunter2");
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(sealer.open("AGENT_API_KEY", sealer.key_id(), &sealed).unwrap().expose_secret(), "hunter2");
        assert!(matches!(sealer.open("WORKER_API_KEY", sealer.key_id(), &sealed), Err(SealingError::Damaged { .. })));
        let other = Sealer::new([8; KEY_BYTES]);
        assert!(matches!(other.open("AGENT_API_KEY", sealer.key_id(), &sealed), Err(SealingError::OtherKey { .. })));
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Sealer::from_config(None, dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let second = Sealer::from_config(None, dir.path()).unwrap();
        assert_eq!(first.key_id(), second.key_id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(Sealer::from_config(None, dir.path()), Err(SealingError::InvalidKeyFile { .. })));
    }

    #[test]
    fn keys_are_hexadecimal_or_base64() {
        let hex = "00".repeat(KEY_BYTES);
        let base64 = STANDARD.encode([0; KEY_BYTES]);
        assert_eq!(parse_key(&hex), Some([0; KEY_BYTES]));
        assert_eq!(parse_key(&base64), Some([0; KEY_BYTES]));
        assert_eq!(parse_key("password"), None);
    }
}
