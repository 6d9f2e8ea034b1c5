//! The agent's own git directory in the workspace: a copy of the objects and branches, with a configuration that names
//! the remote without any credentials.

use super::CloneRequest;
use std::fs;
use std::io;
use std::path::Path;

pub(super) fn make(request: &CloneRequest, default_branch: &str) -> io::Result<()> {
    make_in(&request.workdir, request, default_branch)
}

/// The same for another checkout.
pub(super) fn make_in(workdir: &Path, request: &CloneRequest, default_branch: &str) -> io::Result<()> {
    let target = workdir.join(".git");
    for part in ["objects", "refs"] {
        copy_dir(&request.git_dir.join(part), &target.join(part))?;
    }
    for file in ["HEAD", "index", "packed-refs", "shallow"] {
        match fs::copy(request.git_dir.join(file), target.join(file)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let (name, email) = &request.author;
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\
         [remote \"origin\"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
         [branch \"{default_branch}\"]\n\tremote = origin\n\tmerge = refs/heads/{default_branch}\n\
         [user]\n\tname = {name}\n\temail = {email}\n",
        url = quoted(request.url.as_str()),
        name = quoted(name),
        email = quoted(email),
        default_branch = default_branch.replace(['"', '\\', '\n'], ""),
    );
    fs::write(target.join("config"), config)
}

/// A value of a git configuration file.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
