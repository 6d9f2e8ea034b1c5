//! A repository that is made of data, for a job that has none of its own.

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Repository, RepositoryInitOptions, Signature};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
