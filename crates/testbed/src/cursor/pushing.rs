//! What an agent does: commits on its branch, pushed with the real git to a bare repository of this machine.

use super::server::lock;
use super::{Cloud, CloudAgent};
use anyhow::{Context, ensure};
use std::path::Path;
use std::process::Command;

impl Cloud {
    /// An agent commits these files (path, text), each as a commit of its own, and pushes its branch to this repository.
    ///
    /// # Errors
    /// When there is no such agent, what it starts from is not there, or git fails.
    pub fn push(&self, id: &str, bare: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
        let agent = lock(&self.shared.model).agent(id).cloned().context("there is no such agent")?;
        push(&agent, bare, files)
    }
}

fn push(agent: &CloudAgent, bare: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("could not create a temporary directory")?;
    let checkout = dir.path();
    let address = bare.to_str().context("the repository's path is not UTF-8")?;
    git(checkout, &["clone", "--quiet", address, "."])?;
    let there = git(checkout, &["rev-parse", "--verify", &format!("origin/{}", agent.branch)]);
    let start = match (there, &agent.start) {
        (Ok(head), _) => head.trim().to_owned(),
        (Err(_), Some(start)) => {
            git(checkout, &["rev-parse", "--verify", &format!("origin/{start}")])?.trim().to_owned()
        }
        (Err(_), None) => "HEAD".to_owned(),
    };
    git(checkout, &["checkout", "--quiet", "-B", &agent.branch, &start])?;
    for (path, text) in files {
        let file = checkout.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).context("could not create a folder")?;
        }
        std::fs::write(&file, text).context("could not write a file")?;
        git(checkout, &["add", "--all"])?;
        git(checkout, &["commit", "--quiet", "-m", &format!("Write {path}")])?;
    }
    git(checkout, &["push", "--quiet", "origin", &agent.branch])?;
    Ok(())
}

fn git(dir: &Path, args: &[&str]) -> anyhow::Result<String> {
    let who = ["-c", "user.name=Cursor Agent", "-c", "user.email=cursoragent@cursor.com"];
    let output = Command::new("git").current_dir(dir).args(who).args(args).output().context("could not run git")?;
    ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
