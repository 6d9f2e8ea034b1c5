//! The programs that are started.

use std::path::PathBuf;

/// A program beside this one, or on PATH; else what to do.
pub(super) fn find(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().ok().and_then(|own| own.parent().map(|folder| folder.join(name)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    own.into_iter().chain(on_path).find(|file| file.is_file()).ok_or_else(|| {
        format!(
            "{name} is neither beside this program nor on PATH; build it with `cargo build --release -p {name}`, or install it"
        )
    })
}
