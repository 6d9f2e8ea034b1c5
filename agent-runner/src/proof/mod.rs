//! What a ticket has to show before it counts as done, and what it showed. Pure; what runs the commands is the attempt.

mod evidence;
mod proposal;
mod setup_key;
mod terms;

pub use evidence::{CommandRun, Evidence, Purpose};
pub use proposal::proposed;
pub use setup_key::{LOCK_FILES, image, setup_key};
pub use terms::{FILE, Terms, TermsError};
