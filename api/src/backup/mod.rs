//! `terarchitect-api backup` and `restore`: everything in the database as one file, and back.
//!
//! Which statements read and write it is in [`crate::db::backup`]; this decides what is allowed, and says what happens.

mod file;
mod format;
mod key;
mod load;
pub(crate) mod reach;
mod save;

pub use format::{Frame, Header, Reader, Totals, Writer};
pub use key::WrappedKey;
pub use load::restore;
pub use save::{save, write_snapshot};

use std::io::Write;

/// Progress, for the person at the terminal; the standard output may be the backup.
fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
