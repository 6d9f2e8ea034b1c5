//! Who runs the private Postgres: the caller, or an unprivileged user when the caller is root, whom Postgres refuses.

use super::ClusterError;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The users that are tried, in order, when the caller is root.
const USERS: &[&str] = &["postgres", "nobody"];

/// The user that the cluster runs as.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// The caller, who is not root.
    Caller,
    /// Another user.
    User { name: String, uid: u32, gid: u32 },
}

impl Owner {
    pub(super) fn choose() -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Caller);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        USERS.iter().find_map(|name| parse_user(&users, name)).ok_or(ClusterError::NoUser)
    }

    /// Makes the command run as this user.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Self::User { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Makes a private folder that belongs to this user.
    pub(super) fn make_dir(&self, dir: &Path) -> Result<(), ClusterError> {
        let failed = |source| ClusterError::Directory { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        if let Self::User { uid, gid, .. } = self {
            std::os::unix::fs::chown(dir, Some(*uid), Some(*gid)).map_err(failed)?;
        }
        Ok(())
    }

    /// Checks that this user can reach the folder: every folder above it must let others through.
    pub(super) fn require_reachable(&self, dir: &Path) -> Result<(), ClusterError> {
        let Self::User { name, uid, .. } = self else { return Ok(()) };
        for above in dir.ancestors() {
            let meta =
                fs::metadata(above).map_err(|source| ClusterError::Directory { path: above.to_owned(), source })?;
            let bit = if meta.uid() == *uid { 0o100 } else { 0o001 };
            if meta.mode() & bit == 0 {
                return Err(ClusterError::Unreachable {
                    user: name.clone(),
                    dir: dir.to_owned(),
                    above: above.to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn parse_user(passwd: &str, name: &str) -> Option<Owner> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Owner::User { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_in_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:105:112::/var/lib/postgresql:/bin/bash\n";
        let Some(Owner::User { uid, gid, .. }) = parse_user(passwd, "postgres") else { panic!("not found") };
        assert_eq!((uid, gid), (105, 112));
        assert!(parse_user(passwd, "nobody").is_none());
    }
}
