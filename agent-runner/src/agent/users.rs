//! The user that the agent runs as where the runner is root, and handing files over to it.

use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

/// A user of the system, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub uid: u32,
    /// Its group; all other groups are dropped.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
}

/// The agent can't run as the user that `AGENT_USER` names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// It is root.
    #[error("AGENT_USER is '{0}', which is root; set it to an unprivileged user")]
    Root(String),
    /// It does not exist.
    #[error("AGENT_USER is '{0}', but this machine has no such user; create it, or set AGENT_USER to another user")]
    Unknown(String),
}

/// Finds the agent's user by name. None where the runner is not root: then the agent runs as the runner's own user.
///
/// # Errors
/// See [`UserError`].
pub fn find(name: Option<&str>) -> Result<Option<RunAs>, UserError> {
    let Some(name) = name.filter(|_| rustix::process::geteuid().is_root()) else { return Ok(None) };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match parse(&users, name) {
        Some(user) if user.uid != 0 => Ok(Some(user)),
        Some(_) => Err(UserError::Root(name.to_owned())),
        None => Err(UserError::Unknown(name.to_owned())),
    }
}

fn parse(passwd: &str, name: &str) -> Option<RunAs> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [user, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
        (*user == name).then_some(())?;
        Some(RunAs { uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: PathBuf::from(home) })
    })
}

/// Makes the user the owner of a path and everything below it. Symbolic links change owners themselves, never what they
/// point to.
///
/// # Errors
/// The runner has no permission for it.
pub fn hand_over(path: &Path, user: &RunAs) -> io::Result<()> {
    lchown(path, Some(user.uid), Some(user.gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            hand_over(&entry?.path(), user)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_from_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1001::/home/agent:/bin/bash\nbroken\n";
        let user = parse(passwd, "agent").unwrap();
        assert_eq!((user.uid, user.gid, user.home), (1000, 1001, PathBuf::from("/home/agent")));
        assert!(parse(passwd, "nobody").is_none());
    }
}
