//! Finding the installed Postgres binaries.

use super::ClusterError;
use std::path::{Path, PathBuf};

/// Where Debian, Red Hat and Homebrew put each major version.
const ROOTS: &[(&str, &str)] =
    &[("/usr/lib/postgresql", "bin"), ("/usr/local/opt", "bin"), ("/opt/homebrew/opt", "bin")];

/// The folder with `initdb` and `postgres`.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    /// The major version, such as `15`.
    pub(super) major: u32,
}

impl Binaries {
    /// The newest installed version, or the one of this major version where a cluster exists already.
    pub(super) fn find(major: Option<u32>, folder: &Path) -> Result<Self, ClusterError> {
        let mut installed = installed();
        installed.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        match major {
            Some(major) => installed
                .into_iter()
                .find(|binaries| binaries.major == major)
                .ok_or_else(|| ClusterError::OtherVersionNeeded { major, folder: folder.to_owned() }),
            None => installed.into_iter().next().ok_or(ClusterError::NoBinaries),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn installed() -> Vec<Binaries> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versioned = ROOTS.iter().flat_map(|(root, bin)| {
        std::fs::read_dir(root).into_iter().flatten().flatten().map(move |entry| entry.path().join(bin))
    });
    versioned.chain(on_path.into_iter().flatten()).filter_map(|dir| identify(&dir)).collect()
}

/// The binaries in a folder, with links followed, since distributions link single commands into `/usr/local/bin`.
fn identify(dir: &Path) -> Option<Binaries> {
    let initdb = dir.join("initdb").canonicalize().ok()?;
    let dir = initdb.parent()?.to_owned();
    if !dir.join("postgres").is_file() {
        return None;
    }
    let output = std::process::Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let major = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir, major })
}

/// The major version in a line such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(line: &str) -> Option<u32> {
    let version = line.split("(PostgreSQL)").nth(1)?.trim_start();
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("something else 9"), None);
    }
}
