//! The keys of API and coordinator, made at the first start and kept in a file that only its owner can read.

use anyhow::Context;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The keys.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) api: SecretString,
    pub(super) worker: SecretString,
}

const API: &str = "TERARCHITECT_API_KEY";
const WORKER: &str = "TERARCHITECT_WORKER_API_KEY";

impl Keys {
    /// Reads the file, or makes it. Its lines are those of the README's keys.env, so that a shell can read it too.
    pub(super) fn open(dir: &Path, given: Option<&SecretString>) -> anyhow::Result<Self> {
        let path = dir.join("keys.env");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let api = given.map_or_else(new_key, |key| key.expose_secret().to_owned());
                let text = format!("export {API}={api}\nexport {WORKER}={}\n", new_key());
                let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
                written.with_context(|| format!("could not write {}", path.display()))?;
                text
            }
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        let value = |name: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='));
            line.map(|value| SecretString::from(value.to_owned()))
                .with_context(|| format!("{} has no {name}; remove the file, and new keys are made", path.display()))
        };
        // A key of the environment is what other commands of this shell will use.
        let api = given.cloned().map_or_else(|| value(API), Ok)?;
        Ok(Self { api, worker: value(WORKER)? })
    }
}

fn new_key() -> String {
    let bytes: [u8; 24] = rand::rng().random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_made_once_and_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path(), None).unwrap();
        let again = Keys::open(dir.path(), None).unwrap();
        assert_eq!(first.api.expose_secret(), again.api.expose_secret());
        assert_ne!(first.api.expose_secret(), first.worker.expose_secret());
        assert_eq!(first.api.expose_secret().len(), 48);
        let mode = std::fs::metadata(dir.path().join("keys.env")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
