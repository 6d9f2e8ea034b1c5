//! A conversation that outlives its process: the files in which the agent keeps it.
//!
//! They belong to the agent, which may put anything in their place. So no link is followed on the way to them, and nothing
//! but files is read: what is read leaves this machine, and comes back to an agent.

use super::{Acp, Recipe};
use crate::agent::{AgentError, users};
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The most that is read of one conversation, in bytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// How deep a conversation's files lie.
const MOST_LEVELS: usize = 6;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remembered {
    session: String,
    /// The workspace that it was about.
    workspace: PathBuf,
    /// By their paths below the agent's own directory.
    files: BTreeMap<String, String>,
}

/// The conversation's files; none where there are none, or they can't be read.
pub(super) fn read(recipe: &Recipe, own: &Path, workspace: &Path, session: &str) -> Option<String> {
    let kept = recipe.conversations.as_ref()?;
    let id = kept.id_chars.and_then(|chars| session.get(..chars)).unwrap_or(session);
    let mut found = Found { id, files: BTreeMap::new(), room: MOST_BYTES };
    let looked = open_below(own, kept.below).and_then(|folder| found.look(folder, kept.below, (false, 0)));
    if let Err(error) = looked {
        tracing::info!(%error, "could not read the conversation that {} keeps", recipe.name);
        return None;
    }
    if found.files.is_empty() {
        tracing::info!("{} keeps no file of its conversation", recipe.name);
        return None;
    }
    let (session, workspace) = (session.to_owned(), workspace.to_owned());
    serde_json::to_string(&Remembered { session, workspace, files: found.files }).ok()
}

/// Opens a folder below this one, without following links.
pub(super) fn open_below(own: &Path, below: &str) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = open(own, flags, Mode::empty())?;
    for name in below.split('/') {
        folder = openat(&folder, name, flags, Mode::empty())?;
    }
    Ok(folder)
}

struct Found<'a> {
    /// What the conversation's files are named after.
    id: &'a str,
    files: BTreeMap<String, String>,
    room: u64,
}

impl Found<'_> {
    /// Takes the files of this folder, and of those in it, that are named after the conversation, or lie in a folder that is.
    fn look(&mut self, folder: OwnedFd, path: &str, (is_named, level): (bool, usize)) -> std::io::Result<()> {
        if level > MOST_LEVELS {
            return Ok(());
        }
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let is_named = is_named || name.contains(self.id);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = match openat(&folder, name, flags, Mode::empty()) {
                Ok(opened) => opened,
                // A link, or removed meanwhile.
                Err(Errno::LOOP | Errno::NOENT | Errno::NXIO) => continue,
                Err(error) => return Err(error.into()),
            };
            let path = format!("{path}/{name}");
            match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
                FileType::Directory => self.look(opened, &path, (is_named, level + 1))?,
                FileType::RegularFile if is_named => self.take(File::from(opened), path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, file: File, path: String) -> std::io::Result<()> {
        let mut text = String::new();
        let read = file.take(self.room + 1).read_to_string(&mut text)? as u64;
        self.room = self.room.checked_sub(read).ok_or_else(|| std::io::Error::other("it is too large"))?;
        self.files.insert(path, text);
        Ok(())
    }
}

impl Acp {
    /// Goes on with a conversation that another process kept.
    pub(super) async fn read_in(&mut self, remembered: &str) -> Result<bool, AgentError> {
        let Ok(remembered) = serde_json::from_str::<Remembered>(remembered) else { return Ok(false) };
        if self.session.is_some() {
            return Ok(false);
        }
        if let Err(error) = self.write_down(&remembered) {
            tracing::warn!(%error, "could not write the earlier conversation down for {}", self.recipe.name);
            return Ok(false);
        }
        let never = CancellationToken::new();
        let bounds = self.startup_bounds(&never);
        match self.reopen(&remembered.session, &bounds).await {
            Err(AgentError::Timeout { .. }) => {
                tracing::warn!("{} took too long to read the earlier conversation in", self.recipe.name);
                Ok(false)
            }
            reopened => reopened,
        }
    }

    fn write_down(&self, remembered: &Remembered) -> std::io::Result<()> {
        for (path, text) in &remembered.files {
            let path = self.moved(path).ok_or_else(|| std::io::Error::other("it names a file elsewhere"))?;
            let path = self.own.join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, about(text, &remembered.workspace, &self.options.directory).as_bytes())?;
        }
        let below = self.recipe.conversations.as_ref().and_then(|kept| kept.below.split('/').next());
        let Some((user, below)) = self.options.run_as.as_ref().zip(below) else { return Ok(()) };
        users::hand_over(&self.own.join(below), user)
    }

    /// The file's place here: another attempt's workspace may have been elsewhere. None for one that leads out.
    fn moved(&self, path: &str) -> Option<PathBuf> {
        let kept = self.recipe.conversations.as_ref()?;
        let rest = Path::new(path).strip_prefix(kept.below).ok()?;
        if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let mut parts = rest.iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        if let Some(folder_of) = kept.folder_of
            && let Some(folder) = parts.first_mut()
        {
            *folder = folder_of(&self.options.directory).into();
        }
        Some(Path::new(kept.below).join(parts.iter().collect::<PathBuf>()))
    }
}

/// A conversation's text about this workspace in place of that one: agents go by the paths that it names. What a model has signed
/// stays as it is, or its server would refuse it.
fn about<'a>(text: &'a str, of: &Path, here: &Path) -> Cow<'a, str> {
    let (of, here) = (of.display().to_string(), here.display().to_string());
    if of == here || of.is_empty() {
        return text.into();
    }
    let lines = text.split_inclusive('\n');
    let moved =
        lines.map(|line| if line.contains("\"signature\"") { line.to_owned() } else { line.replace(&of, &here) });
    moved.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::super::recipes::recipe;
    use super::*;
    use crate::agent::AgentKind;

    #[test]
    fn only_the_conversations_own_files_are_read_and_no_link_is_followed() {
        let own = tempfile::tempdir().unwrap();
        let folder = own.path().join("projects/-w");
        std::fs::create_dir_all(folder.join("s-1/subagents")).unwrap();
        std::fs::write(folder.join("s-1.jsonl"), "{}").unwrap();
        std::fs::write(folder.join("s-1/subagents/a.jsonl"), "{\"a\":1}").unwrap();
        std::fs::write(folder.join("other.jsonl"), "secret").unwrap();
        std::fs::write(own.path().join("outside"), "secret").unwrap();
        std::os::unix::fs::symlink(own.path().join("outside"), folder.join("link-s-1.jsonl")).unwrap();
        std::os::unix::fs::symlink(own.path(), folder.join("s-1/up")).unwrap();
        let claude = recipe(AgentKind::Claude).unwrap();
        let workspace = Path::new("/w");
        let read = read(claude, own.path(), workspace, "s-1").unwrap();
        let remembered: Remembered = serde_json::from_str(&read).unwrap();
        let names: Vec<&str> = remembered.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["projects/-w/s-1.jsonl", "projects/-w/s-1/subagents/a.jsonl"]);
        assert_eq!(super::read(claude, own.path(), workspace, "s-2"), None);
    }

    #[test]
    fn a_conversation_goes_on_about_the_workspace_that_is_here_and_what_is_signed_stays() {
        let text = "{\"cwd\":\"/tmp/a\"}\n{\"thinking\":\"/tmp/a\",\"signature\":\"x\"}\n";
        let moved = about(text, Path::new("/tmp/a"), Path::new("/w"));
        assert_eq!(moved, "{\"cwd\":\"/w\"}\n{\"thinking\":\"/tmp/a\",\"signature\":\"x\"}\n");
        assert_eq!(about(text, Path::new("/w"), Path::new("/w")), text);
    }
}
