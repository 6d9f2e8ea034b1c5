//! A repository that is made of data, for a job that has none of its own.

use git2::build::TreeUpdateBuilder;
use git2::{BranchType, Buf, FileMode, Oid, Repository, RepositoryInitOptions, Signature};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// All branches of a repository, with everything that they lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branches {
    /// The head of each branch, by its name.
    pub heads: BTreeMap<String, String>,
    /// Git's pack of their objects.
    pub pack: Vec<u8>,
}

/// Creates a bare repository, to which branches can be pushed, with one commit of these files on `main`.
///
/// # Errors
/// When the folder can't be written, or a path is none that git takes.
pub fn repository_of(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), git2::Error> {
    let options = &mut RepositoryInitOptions::new();
    let repository = Repository::init_opts(folder, options.bare(true).initial_head("main"))?;
    let empty = repository.find_tree(repository.treebuilder(None)?.write()?)?;
    let mut tree = TreeUpdateBuilder::new();
    for (path, content) in files {
        tree.upsert(path.as_path(), repository.blob(content)?, FileMode::Blob);
    }
    let tree = repository.find_tree(tree.create_updated(&repository, &empty)?)?;
    let author = Signature::now("Terarchitect", "terarchitect@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "The job's data", &tree, &[])?;
    Ok(())
}

/// Packs all branches of a repository.
///
/// # Errors
/// When the repository can't be read.
pub fn branches_of(folder: &Path) -> Result<Branches, git2::Error> {
    let repository = Repository::open_bare(folder)?;
    let (mut heads, mut walk) = (BTreeMap::new(), repository.revwalk()?);
    for branch in repository.branches(Some(BranchType::Local))? {
        let (branch, _) = branch?;
        let (name, head) = (branch.name()?.unwrap_or_default().to_owned(), branch.get().peel_to_commit()?.id());
        walk.push(head)?;
        heads.insert(name, head.to_string());
    }
    let (mut builder, mut pack) = (repository.packbuilder()?, Buf::new());
    builder.insert_walk(&mut walk)?;
    builder.write_buf(&mut pack)?;
    Ok(Branches { heads, pack: pack.to_vec() })
}

/// Brings branches into a repository; those that it has are replaced.
///
/// # Errors
/// When they are damaged, or the repository can't be written.
pub fn bring_in(folder: &Path, branches: &Branches) -> Result<(), git2::Error> {
    let repository = Repository::open_bare(folder)?;
    let odb = repository.odb()?;
    let mut writer = odb.packwriter()?;
    writer.write_all(&branches.pack).map_err(|error| git2::Error::from_str(&error.to_string()))?;
    writer.commit()?;
    odb.refresh()?;
    for (name, head) in &branches.heads {
        let head = repository.find_commit(Oid::from_str(head)?)?.id();
        repository.reference(&format!("refs/heads/{name}"), head, true, "An earlier attempt's work")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_the_same_in_another_repository() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        repository_of(from.path(), &BTreeMap::from([(PathBuf::from("lib/a"), b"1".to_vec())])).unwrap();
        let repository = Repository::open_bare(from.path()).unwrap();
        let main = repository.head().unwrap().peel_to_commit().unwrap();
        let author = Signature::now("Ada", "ada@example.com").unwrap();
        let work = repository.commit(None, &author, &author, "Work", &main.tree().unwrap(), &[&main]).unwrap();
        repository.reference("refs/heads/ticket-1", work, false, "work").unwrap();

        let branches = branches_of(from.path()).unwrap();
        assert_eq!(branches.heads.keys().collect::<Vec<_>>(), ["main", "ticket-1"]);
        repository_of(to.path(), &BTreeMap::new()).unwrap();
        bring_in(to.path(), &branches).unwrap();
        assert_eq!(branches_of(to.path()).unwrap().heads, branches.heads);
        let there = Repository::open_bare(to.path()).unwrap();
        let tree = there.find_commit(work).unwrap().tree().unwrap();
        assert!(tree.get_path(Path::new("lib/a")).is_ok());

        let mut damaged = branches;
        damaged.pack.truncate(20);
        assert!(bring_in(tempfile::tempdir().unwrap().path(), &damaged).is_err());
    }
}
