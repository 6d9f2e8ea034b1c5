//! Why the private Postgres does not serve at the moment, in sentences for clients of `/ready`: its log, which may tell
//! more than a stranger should know, stays where it is.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// With less free space than this, in bytes, Postgres can't begin the next file of its log of changes.
const NEEDED_SPACE_BYTES: u64 = 16 * 1024 * 1024;

const DISK_FULL: &str = "The disk of the private Postgres is full; free space there, and it goes on by itself.";
const ENDED: &str =
    "The private Postgres has ended and is being started again; its log, postgres.log in the data directory, says why.";

/// What Postgres prints, and what that means.
const REASONS: &[(&str, &str)] = &[
    ("No space left on device", DISK_FULL),
    (
        "configuration file",
        "The private Postgres does not start, because it can't read its configuration; restore postgresql.conf, pg_hba.conf and \
         pg_ident.conf in the data directory, and it goes on by itself.",
    ),
    (
        "Permission denied",
        "The private Postgres does not start, because it may not read or write its files; correct their owner, and it goes on \
         by itself.",
    ),
    (
        "pre-existing shared memory block",
        "The private Postgres waits for processes that an earlier one left behind; it goes on by itself when they have ended.",
    ),
];

/// What is known about the private Postgres.
#[derive(Debug)]
pub struct PrivateDatabase {
    data: PathBuf,
    ended: Mutex<Option<&'static str>>,
}

impl PrivateDatabase {
    pub(super) fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), ended: Mutex::default() }
    }

    /// Notes why it ended, as far as the end of its log says.
    pub(super) fn has_ended(&self, log_tail: &str) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason(log_tail));
    }

    /// Notes that it responds, so that what ended it earlier explains nothing any more.
    pub fn responds(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why it ended last, unless it has responded since.
    #[must_use]
    pub fn why_it_ended(&self) -> Option<&'static str> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What keeps it from storing changes although it responds.
    #[must_use]
    pub fn why_it_stores_nothing(&self) -> Option<&'static str> {
        let space = rustix::fs::statvfs(&self.data).ok()?;
        (space.f_bavail.saturating_mul(space.f_frsize) < NEEDED_SPACE_BYTES).then_some(DISK_FULL)
    }
}

/// The latest line that is understood decides.
fn reason(log_tail: &str) -> &'static str {
    let known = |line: &str| REASONS.iter().find(|(text, _)| line.contains(text)).map(|(_, reason)| *reason);
    log_tail.lines().rev().take(6).find_map(known).unwrap_or(ENDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_line_that_is_understood_says_why() {
        let log = "FATAL:  could not write to file: No space left on device\n\
                   postgres: could not access the server configuration file \"/d/postgresql.conf\": No such file or directory\n";
        assert!(reason(log).contains("can't read its configuration"));
        assert_eq!(reason(log.lines().next().unwrap_or_default()), DISK_FULL);
        assert_eq!(reason("LOG:  received fast shutdown request"), ENDED);
        assert_eq!(reason(""), ENDED);
    }
}
