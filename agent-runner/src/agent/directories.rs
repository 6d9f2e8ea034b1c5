//! The directories that belong to an agent's process.

use super::users::RunAs;
use super::{AgentError, AgentOptions};
use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions, set_permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// All of them lie below the state directory, except for the home of another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directories {
    pub(super) home: PathBuf,
    pub(super) config: PathBuf,
    pub(super) data: PathBuf,
    pub(super) state: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) temporary: PathBuf,
}

impl Directories {
    pub(super) fn new(options: &AgentOptions) -> Self {
        let mut all = Self::below(&options.state_dir);
        if let Some(user) = &options.run_as {
            all.home.clone_from(&user.home);
        }
        all
    }

    /// All of them, the home too, below the state directory.
    pub(super) fn below(state_dir: &Path) -> Self {
        let below = |name: &str| state_dir.join(name);
        Self {
            home: below("home"),
            config: below("config"),
            data: below("data"),
            state: below("state"),
            cache: below("cache"),
            temporary: below("tmp"),
        }
    }

    /// The variables that name them.
    pub(super) fn variables(&self) -> [(&'static str, OsString); 6] {
        [
            ("HOME", self.home.clone().into()),
            ("XDG_CONFIG_HOME", self.config.clone().into()),
            ("XDG_DATA_HOME", self.data.clone().into()),
            ("XDG_STATE_HOME", self.state.clone().into()),
            ("XDG_CACHE_HOME", self.cache.clone().into()),
            ("TMPDIR", self.temporary.clone().into()),
        ]
    }

    /// Creates them, readable by the agent's user alone.
    ///
    /// The state directory above them stays the runner's, and the agent's group may enter it: root without further
    /// capabilities can't enter a directory that is closed to it.
    pub(super) fn create(&self, state_dir: &Path, user: Option<&RunAs>) -> Result<(), AgentError> {
        create(state_dir).map_err(|error| failed(state_dir, &error))?;
        if let Some(user) = user {
            let shared = chown(state_dir, Some(rustix::process::geteuid().as_raw()), Some(user.gid))
                .and_then(|()| set_permissions(state_dir, Permissions::from_mode(0o750)));
            shared.map_err(|error| failed(state_dir, &error))?;
        }
        for directory in [&self.home, &self.config, &self.data, &self.state, &self.cache, &self.temporary] {
            let is_new = !directory.exists();
            create(directory).map_err(|error| failed(directory, &error))?;
            // A home that existed before keeps its owner.
            if let Some(user) = user
                && (is_new || directory.starts_with(state_dir))
            {
                chown(directory, Some(user.uid), Some(user.gid)).map_err(|error| failed(directory, &error))?;
            }
        }
        Ok(())
    }
}

fn create(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn failed(path: &Path, error: &std::io::Error) -> AgentError {
    let message = format!("could not prepare {}: {error}", path.display());
    AgentError::Startup { message, stderr_tail: String::new() }
}
