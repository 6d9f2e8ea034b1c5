//! A small disk of its own for a test that fills it. Needs root and a loop device.

use anyhow::{Context, ensure};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Set where this machine has no loop devices: `scripts/test` sets it, and says what is skipped.
pub const NO_LOOP_DEVICES_VARIABLE: &str = "TERARCHITECT_NO_LOOP_DEVICES";

/// A file system in a file, mounted in a temporary directory that every user can reach.
#[derive(Debug)]
pub struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// A disk of this size. None where this machine has no loop devices.
    ///
    /// # Errors
    /// When it can't be formatted or mounted.
    pub fn new(mib: u32) -> anyhow::Result<Option<Self>> {
        if std::env::var_os(NO_LOOP_DEVICES_VARIABLE).is_some() {
            return Ok(None);
        }
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let (file, mount) = (dir.path().join("file"), dir.path().join("mount"));
        fs::create_dir(&mount)?;
        fs::File::create(&file)?.set_len(u64::from(mib) * 1024 * 1024)?;
        run(Command::new("mkfs.ext4").arg("-q").arg(&file))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(&mount))?;
        Ok(Some(Self { dir }))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mount")
    }

    /// Writes until nothing more can be written, and returns the file to delete.
    ///
    /// # Errors
    /// When something else ends the writing.
    pub fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.path().join("fill");
        let mut file = fs::File::create(&path).context("could not create a file on the disk")?;
        let ended = std::io::copy(&mut std::io::repeat(0), &mut file).err().map(|error| error.kind());
        ensure!(ended == Some(ErrorKind::StorageFull), "the disk did not become full: {ended:?}");
        Ok(path)
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("could not run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed; is this root, and is there a loop device (losetup -f)?");
    Ok(())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        let is_unmounted = unmounted.is_ok_and(|status| status.success());
        assert!(std::thread::panicking() || is_unmounted, "the disk could not be unmounted");
    }
}
