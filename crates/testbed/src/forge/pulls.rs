//! Pull requests and their comments, kept in a file, so that a forge started again still has them.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The repository's owner.
    pub owner: String,
    /// The repository.
    pub repo: String,
    /// Its number, from 1 in each repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// The branch with the change.
    pub head: String,
    /// The branch that it should go into.
    pub base: String,
    /// `open` or `closed`.
    pub state: String,
    /// Comments on it.
    pub comments: Vec<Comment>,
}

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Its text.
    pub body: String,
}

/// All pull requests of a forge.
#[derive(Debug)]
pub(super) struct Pulls {
    file: PathBuf,
    all: Vec<Pull>,
}

impl Pulls {
    pub(super) fn open(file: PathBuf) -> anyhow::Result<Self> {
        let all = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("could not read {}", file.display())),
        };
        Ok(Self { file, all })
    }

    pub(super) fn of(&self, owner: &str, repo: &str) -> Vec<Pull> {
        self.all.iter().filter(|pull| pull.owner == owner && pull.repo == repo).cloned().collect()
    }

    pub(super) fn find(&self, owner: &str, repo: &str, number: u64) -> Option<Pull> {
        self.all.iter().find(|pull| pull.owner == owner && pull.repo == repo && pull.number == number).cloned()
    }

    /// Adds one, with the next number of its repository.
    pub(super) fn add(&mut self, pull: Pull) -> anyhow::Result<Pull> {
        let number = self.of(&pull.owner, &pull.repo).len() as u64 + 1;
        let pull = Pull { number, ..pull };
        self.all.push(pull.clone());
        self.save()?;
        Ok(pull)
    }

    pub(super) fn comment(
        &mut self,
        owner: &str,
        repo: &str,
        number: u64,
        body: String,
    ) -> anyhow::Result<Option<Comment>> {
        let id = self.all.iter().map(|pull| pull.comments.len() as u64).sum::<u64>() + 1;
        let found = self.all.iter_mut().find(|pull| pull.owner == owner && pull.repo == repo && pull.number == number);
        let Some(pull) = found else { return Ok(None) };
        let comment = Comment { id, body };
        pull.comments.push(comment.clone());
        self.save()?;
        Ok(Some(comment))
    }

    fn save(&self) -> anyhow::Result<()> {
        let draft = self.file.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec_pretty(&self.all)?)
            .and_then(|()| std::fs::rename(&draft, &self.file))
            .with_context(|| format!("could not write {}", self.file.display()))
    }
}
