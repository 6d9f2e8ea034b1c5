//! Keeps the machine's git configuration out. A repository's own configuration is the only one that counts: a global
//! ignore file would hide the agent's work, `insteadOf` would send it elsewhere, and an entry that libgit2 does not know
//! would end the attempt.

use git2::ConfigLevel;
use std::sync::OnceLock;

/// Must be called before anything else of libgit2. Calling it again does nothing.
///
/// # Errors
/// libgit2 did not accept it.
#[allow(unsafe_code, reason = "libgit2 has no safe way to leave out the machine's configuration")]
pub(super) fn ignore_configuration() -> Result<(), git2::Error> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
            // SAFETY: it writes a static of libgit2, which is a race only with other calls of libgit2. There is none yet:
            // `Workspace::clone` is where the runner's use of libgit2 starts, and concurrent calls of this function wait.
            unsafe { git2::opts::set_search_path(level, "") }.map_err(|error| error.message().to_owned())?;
        }
        Ok(())
    });
    done.clone().map_err(|message| git2::Error::from_str(&message))
}
