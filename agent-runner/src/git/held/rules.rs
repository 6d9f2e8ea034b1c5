//! Which paths of a repository are held to the base branch's version.

use super::{LINK, Version};
use crate::git::walk::as_path;
use crate::instructions::{imports, read_by_agents};
use git2::{Index, Repository};
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// No more files are followed for what they import, and none that is larger, in bytes.
const MAX_FOLLOWED: usize = 1_000;
const MAX_FOLLOWED_BYTES: usize = 256 * 1024;
/// What is imported counts only as such: a build file that is named in an instruction is not one itself.
const TEXTS: [&str; 3] = [".md", ".mdc", ".txt"];

/// What agents read by its name, and what the base's instructions lead to: the targets of links, and imported texts.
#[derive(Default)]
pub(super) struct Rules {
    led_to: BTreeSet<Vec<u8>>,
}

impl Rules {
    pub(super) fn of_base(repo: &Repository, base: &Index) -> Self {
        let mut rules = Self::default();
        let mut waiting: Vec<Vec<u8>> = Vec::new();
        for entry in base.iter().filter(|entry| read_by_agents(&entry.path).is_some()) {
            waiting.push(entry.path);
        }
        let mut followed = 0;
        while let Some(path) = waiting.pop().filter(|_| followed < MAX_FOLLOWED) {
            followed += 1;
            for led_to in leads_to(repo, base, &path) {
                if rules.start(&led_to).is_none() {
                    waiting.push(led_to.clone());
                    rules.led_to.insert(led_to);
                }
            }
        }
        rules
    }

    /// Where the held part of a path begins, as an index of its bytes; none if the path is not held.
    pub(super) fn start(&self, path: &[u8]) -> Option<usize> {
        read_by_agents(path).or_else(|| {
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
            let led_to = ends.map(|end| &path[..end]).find(|start| self.led_to.contains(*start))?;
            Some(led_to.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1))
        })
    }

    pub(super) fn hold(&self, path: &[u8]) -> bool {
        self.start(path).is_some()
    }
}

/// The paths that a file's text is taken from, or where a link leads.
fn leads_to(repo: &Repository, base: &Index, path: &[u8]) -> Vec<Vec<u8>> {
    let Some(version) = base.get_path(as_path(path), 0).map(|entry| Version::of(&entry)) else { return Vec::new() };
    let Ok(blob) = repo.find_blob(version.id) else { return Vec::new() };
    if blob.size() > MAX_FOLLOWED_BYTES {
        return Vec::new();
    }
    if version.mode == LINK {
        return beside(path, blob.content()).into_iter().collect();
    }
    let text = String::from_utf8_lossy(blob.content());
    let texts = imports(&text).into_iter().filter(|import| TEXTS.iter().any(|ending| import.ends_with(ending)));
    texts.filter_map(|import| beside(path, import.as_bytes())).collect()
}

/// A path as it is written in a file of this path, from the repository's root; none if it leads outside.
fn beside(file: &[u8], written: &[u8]) -> Option<Vec<u8>> {
    let directory = as_path(file).parent()?;
    let mut parts: Vec<&std::ffi::OsStr> = directory.iter().collect();
    for component in Path::new(as_path(written)).components() {
        match component {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    let parts: Vec<&[u8]> = parts.into_iter().map(std::os::unix::ffi::OsStrExt::as_bytes).collect();
    (!parts.is_empty()).then(|| parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn paths_are_read_from_where_they_are_written() {
        assert_eq!(beside(b"a/AGENTS.md", b"../docs/./x.md").as_deref(), Some(&b"docs/x.md"[..]));
        assert_eq!(beside(b"AGENTS.md", b"docs/x.md").as_deref(), Some(&b"docs/x.md"[..]));
        assert_eq!(beside(b"AGENTS.md", b"../x.md"), None);
        assert_eq!(beside(b"AGENTS.md", b"/etc/x.md"), None);
        assert_eq!(beside(b"AGENTS.md", b"."), None);
    }
}
