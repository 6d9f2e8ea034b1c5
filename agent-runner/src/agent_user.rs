//! The user that the agent runs as where the runner is root, and handing files over to it.

use crate::config::ConfigError;
use crate::worker::opencode::RunAs;
use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

/// Finds the agent's user. None where the runner is not root: then the agent is the same user.
///
/// # Errors
/// When there is no such user, or it is root itself.
pub fn find(name: Option<&str>) -> Result<Option<RunAs>, ConfigError> {
    let Some(name) = name.filter(|_| rustix::process::geteuid().is_root()) else { return Ok(None) };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match parse(&users, name) {
        Some(user) if user.uid != 0 => Ok(Some(user)),
        Some(_) => {
            Err(ConfigError::one(format!("AGENT_USER is '{name}', which is root; set it to an unprivileged user")))
        }
        None => Err(ConfigError::one(format!("AGENT_USER is '{name}', but there is no such user here"))),
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

/// Gives a folder and everything in it to the user. Links are given themselves, never what they point to.
///
/// # Errors
/// When the runner may not.
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
