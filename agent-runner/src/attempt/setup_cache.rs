//! What setup commands leave in a checkout, kept for the next one where the repository names the directories: in the cache volume of
//! the project, under a key of its lock files, the commands and the image.
//!
//! An agent can write to that volume, and a verification must not run what an agent has put there. So an entry is authenticated with the
//! forge's token, which agents never see, and is made only of a checkout in which no agent has worked yet and that is the base branch's.
//! Whatever is wrong with an entry, it is as if there were none.

use crate::agent::users::RunAs;
use crate::agent::{CommandEnd, CommandOptions, run_command};
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::OFlags;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// The largest entry, in bytes.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// How many entries a project keeps; the newest ones.
const MAX_ENTRIES: usize = 3;
/// After this time what a killed runner was still writing is removed.
const MAX_UNFINISHED: Duration = Duration::from_secs(24 * 60 * 60);
/// How long packing and unpacking may take, each.
const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
const SIGNATURE_BYTES: u64 = 32;
const ENDING: &str = "setup";
const ARCHIVE: &str = "setup.tar";
/// What packing ends with where a file names the checkout's own place: elsewhere it would lead back there.
const NAMES_ITS_PLACE: i32 = 77;

/// Where entries are.
#[derive(Clone)]
pub(super) struct SetupCache {
    dir: PathBuf,
    key: SecretString,
}

/// A checkout, and who works in it.
pub(super) struct Checkout<'a> {
    pub(super) directory: &'a Path,
    pub(super) run_as: Option<&'a RunAs>,
    pub(super) cached: &'a [String],
    pub(super) cancel: &'a CancellationToken,
}

impl SetupCache {
    /// None without a key: anyone could make entries then.
    pub(super) fn new(dir: PathBuf, key: Option<SecretString>) -> Option<Self> {
        Some(Self { dir, key: key.filter(|key| !key.expose_secret().is_empty())? })
    }

    /// Brings what is kept under this name into the checkout. False where there is nothing usable; then nothing has changed.
    pub(super) async fn restore(&self, name: &str, checkout: &Checkout<'_>) -> io::Result<bool> {
        let private = tempfile::Builder::new().prefix("terarchitect-setup-").tempdir()?;
        // The agent's user can read it there, and can't change it once it was looked at.
        fs::set_permissions(private.path(), Permissions::from_mode(0o755))?;
        let archive = private.path().join(ARCHIVE);
        let (cache, wanted, copy) = (self.clone(), name.to_owned(), archive.clone());
        if !aside(move || cache.take(&wanted, &copy)).await? {
            return Ok(false);
        }
        let script = format!(
            "set -- {}; t=.terarchitect-restoring\n\
             for d; do [ ! -e \"$d\" ] || exit 1; done\n\
             mkdir \"$t\" || exit 1\n\
             if tar -xf {} -C \"$t\"; then for d; do\n\
             [ -e \"$t/$d\" ] || continue\n\
             case $d in */*) mkdir -p \"${{d%/*}}\";; esac; mv \"$t/$d\" \"$d\" || {{ s=1; break; }}\n\
             done; else s=1; fi\nrm -rf \"$t\"; exit ${{s:-0}}",
            all(checkout.cached),
            quoted(&archive.to_string_lossy())
        );
        Ok(run(checkout, script).await?.passed())
    }

    /// Keeps the checkout's directories under this name. Returns why it did not, if it did not.
    pub(super) async fn keep(&self, name: &str, checkout: &Checkout<'_>) -> io::Result<Option<&'static str>> {
        let place = tempfile::Builder::new().prefix("terarchitect-setup-").tempdir()?;
        if let Some(user) = checkout.run_as {
            crate::agent::users::hand_over(place.path(), user)?;
        }
        let archive = place.path().join(ARCHIVE);
        let script = format!(
            "for d in {}; do if [ -e \"$d\" ]; then set -- \"$@\" \"$d\"; fi; done\n\
             [ $# -gt 0 ] || exit 78\n\
             if grep -rqsF -- \"$(pwd -P)\" \"$@\"; then exit {NAMES_ITS_PLACE}; fi\n\
             ulimit -f {} && exec tar -cf {} \"$@\"",
            all(checkout.cached),
            MAX_BYTES / 512,
            quoted(&archive.to_string_lossy())
        );
        let end = run(checkout, script).await?;
        match end.exit_code {
            Some(0) => {
                let (cache, name) = (self.clone(), name.to_owned());
                aside(move || cache.put(&name, &archive)).await.map(|()| None)
            }
            Some(NAMES_ITS_PLACE) => Ok(Some("its files name the directory in which they were made")),
            Some(78) => Ok(Some("the setup commands made none of the directories")),
            _ => Ok(Some("it could not be packed, or is larger than 2 GiB")),
        }
    }

    fn entry(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{ENDING}"))
    }

    fn mac(&self, name: &str) -> Hmac<Sha256> {
        let key = self.key.expose_secret().as_bytes();
        let mac: Hmac<Sha256> = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.chain_update(b"setup\n").chain_update(name).chain_update(b"\n")
    }

    /// Copies a genuine entry to where only the runner can write.
    fn take(&self, name: &str, into: &Path) -> io::Result<bool> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut entry = match File::options().read(true).custom_flags(flags).open(self.entry(name)) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let about = entry.metadata()?;
        let length = match about.len().checked_sub(SIGNATURE_BYTES) {
            Some(length) if about.is_file() && length <= MAX_BYTES => length,
            _ => return Ok(false),
        };
        let mut mac = self.mac(name);
        let mut copy = File::create(into)?;
        if copy_signed(&mut (&mut entry).take(length), &mut copy, &mut mac)? != length {
            return Ok(false);
        }
        let mut signature = Vec::new();
        entry.take(SIGNATURE_BYTES).read_to_end(&mut signature)?;
        fs::set_permissions(into, Permissions::from_mode(0o644))?;
        Ok(mac.verify_slice(&signature).is_ok())
    }

    /// Writes atomically: a kill leaves the old entry, or the new one.
    fn put(&self, name: &str, archive: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        if !self.dir.symlink_metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "the place for kept setups is a link"));
        }
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut from = File::options().read(true).custom_flags(flags).open(archive)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        let mut mac = self.mac(name);
        copy_signed(&mut (&mut from).take(MAX_BYTES), &mut file, &mut mac)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.entry(name))?;
        self.tidy()
    }

    /// Keeps the newest entries alone.
    fn tidy(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let changed = entry.metadata()?.modified()?;
            let age = SystemTime::now().duration_since(changed).unwrap_or_default();
            let is_entry = entry.path().extension().is_some_and(|ending| ending == ENDING);
            match is_entry {
                true => entries.push((changed, entry.path())),
                false if entry.file_type()?.is_file() && age > MAX_UNFINISHED => fs::remove_file(entry.path())?,
                false => {}
            }
        }
        entries.sort();
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        entries.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

fn copy_signed(from: &mut impl Read, to: &mut impl Write, mac: &mut Hmac<Sha256>) -> io::Result<u64> {
    let (mut buffer, mut copied) = (vec![0; 256 * 1024], 0);
    loop {
        let read = from.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { return Ok(copied) };
        mac.update(piece);
        to.write_all(piece)?;
        copied += piece.len() as u64;
    }
}

/// Files may be large, and others must not wait meanwhile.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

async fn run(checkout: &Checkout<'_>, line: String) -> io::Result<CommandEnd> {
    let state = tempfile::Builder::new().prefix("terarchitect-setup-").tempdir()?;
    let options = CommandOptions {
        line,
        directory: checkout.directory.to_owned(),
        state_dir: state.path().to_owned(),
        home: None,
        run_as: checkout.run_as.cloned(),
        secrets: Vec::new(),
        time_limit: TIME_LIMIT,
    };
    run_command(options, checkout.cancel).await.map_err(io::Error::other)
}

fn all(paths: &[String]) -> String {
    paths.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(" ")
}

/// A word of a shell's command.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const NAME: &str = "0123";

    struct World {
        volume: TempDir,
        made: TempDir,
        cached: Vec<String>,
        cancel: CancellationToken,
    }

    impl World {
        fn new() -> Self {
            let made = tempfile::tempdir().unwrap();
            for (path, text) in [("node_modules/a/index.js", "a"), ("web/it's/b.js", "b"), ("src/main.js", "own")] {
                let path = made.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let cached = ["node_modules", "web/it's", "absent"].map(str::to_owned).into();
            Self { volume: tempfile::tempdir().unwrap(), made, cached, cancel: CancellationToken::new() }
        }

        fn cache(&self, key: &str) -> SetupCache {
            let key = Some(SecretString::from(key.to_owned()));
            SetupCache::new(self.volume.path().join("setup"), key).unwrap()
        }

        fn at<'a>(&'a self, directory: &'a Path) -> Checkout<'a> {
            Checkout { directory, run_as: None, cached: &self.cached, cancel: &self.cancel }
        }

        async fn keep(&self) -> Option<&'static str> {
            self.cache("token").keep(NAME, &self.at(self.made.path())).await.unwrap()
        }

        /// What a fresh checkout has after it, if anything was restored.
        async fn restored(&self, key: &str, name: &str) -> Option<TempDir> {
            let fresh = tempfile::tempdir().unwrap();
            let restored = self.cache(key).restore(name, &self.at(fresh.path())).await.unwrap();
            let files = fs::read_dir(fresh.path()).unwrap().count();
            assert_eq!(restored, files > 0, "what is not restored leaves nothing");
            restored.then_some(fresh)
        }
    }

    #[tokio::test]
    async fn what_setup_left_is_in_the_next_checkout_and_nothing_else_is() {
        let world = World::new();
        assert!(world.restored("token", NAME).await.is_none(), "there is none yet");
        assert_eq!(world.keep().await, None);
        let fresh = world.restored("token", NAME).await.unwrap();
        let read = |path: &str| fs::read_to_string(fresh.path().join(path)).ok();
        assert_eq!(
            (read("node_modules/a/index.js").as_deref(), read("web/it's/b.js").as_deref()),
            (Some("a"), Some("b"))
        );
        assert_eq!(read("src/main.js"), None);
        assert!(!fresh.path().join(".terarchitect-restoring").exists());
        assert!(world.restored("token", "4567").await.is_none(), "another key has nothing");
        assert!(world.restored("other", NAME).await.is_none(), "another token made no entry");
    }

    #[tokio::test]
    async fn another_user_s_checkouts_are_that_user_s_afterwards() {
        let world = World::new();
        let user = crate::agent::users::find(Some("nobody")).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        for (path, user) in [world.made.path(), fresh.path()].into_iter().zip(std::iter::repeat(&user)) {
            user.as_ref().map_or(Ok(()), |user| crate::agent::users::hand_over(path, user)).unwrap();
        }
        let at = |directory| Checkout { run_as: user.as_ref(), ..world.at(directory) };
        let cache = world.cache("token");
        assert_eq!(cache.keep(NAME, &at(world.made.path())).await.unwrap(), None);
        assert!(cache.restore(NAME, &at(fresh.path())).await.unwrap());
        let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
        let own = rustix::process::geteuid().as_raw();
        let expected = user.as_ref().map_or(own, |user| user.uid);
        assert_eq!(owner(&fresh.path().join("node_modules/a/index.js")), expected);
        assert_eq!(owner(&cache.entry(NAME)), own);
    }

    #[tokio::test]
    async fn an_entry_that_was_changed_cut_or_replaced_is_none() {
        let world = World::new();
        world.keep().await;
        let entry = world.cache("token").entry(NAME);
        let whole = fs::read(&entry).unwrap();
        let mut changed = whole.clone();
        changed[600] ^= 1;
        for broken in [&changed[..], &whole[..whole.len() / 2], &whole[..10], b""] {
            fs::write(&entry, broken).unwrap();
            assert!(world.restored("token", NAME).await.is_none());
        }
        // Under another name.
        fs::write(world.cache("token").entry("4567"), &whole).unwrap();
        assert!(world.restored("token", "4567").await.is_none());
        let elsewhere = world.volume.path().join("elsewhere");
        fs::write(&elsewhere, &whole).unwrap();
        fs::remove_file(&entry).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        let linked = world.cache("token").restore(NAME, &world.at(fresh.path())).await;
        assert!(!linked.is_ok_and(|restored| restored), "a link is no entry");
        fs::remove_file(&entry).unwrap();
        fs::write(&entry, &whole).unwrap();
        assert!(world.restored("token", NAME).await.is_some());
    }

    #[tokio::test]
    async fn what_is_there_already_is_left_alone() {
        let world = World::new();
        world.keep().await;
        let fresh = tempfile::tempdir().unwrap();
        fs::create_dir(fresh.path().join("node_modules")).unwrap();
        let restored = world.cache("token").restore(NAME, &world.at(fresh.path())).await.unwrap();
        assert!(!restored && fs::read_dir(fresh.path().join("node_modules")).unwrap().count() == 0);
    }

    #[tokio::test]
    async fn files_that_name_their_own_place_are_not_kept() {
        let world = World::new();
        let place = world.made.path().canonicalize().unwrap();
        fs::write(world.made.path().join("node_modules/run"), format!("#!{}/python\n", place.display())).unwrap();
        assert_eq!(world.keep().await, Some("its files name the directory in which they were made"));
        assert!(world.restored("token", NAME).await.is_none());
        let nothing = World { cached: vec!["absent".to_owned()], ..World::new() };
        assert_eq!(nothing.keep().await, Some("the setup commands made none of the directories"));
    }

    #[tokio::test]
    async fn only_the_newest_entries_stay() {
        let world = World::new();
        let cache = world.cache("token");
        for name in 0..MAX_ENTRIES + 2 {
            cache.keep(&name.to_string(), &world.at(world.made.path())).await.unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(name as u64);
            File::options().append(true).open(cache.entry(&name.to_string())).unwrap().set_modified(time).unwrap();
        }
        cache.keep("last", &world.at(world.made.path())).await.unwrap();
        let kept = fs::read_dir(&cache.dir).unwrap().count();
        assert_eq!((kept, cache.entry("last").exists(), cache.entry("0").exists()), (MAX_ENTRIES, true, false));
    }

    #[test]
    fn without_a_token_nothing_is_kept() {
        assert!(SetupCache::new(PathBuf::from("/cache"), None).is_none());
        assert!(SetupCache::new(PathBuf::from("/cache"), Some(SecretString::from(""))).is_none());
    }
}
