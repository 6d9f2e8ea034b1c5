//! How many files, and so connections, the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the process needs for itself: its listeners, logs, pipes, the private Postgres, and connections without a
/// seat.
const OWN_FILES: u64 = 160;
/// More connections than this need more memory than is good.
const MOST_CONNECTIONS: u64 = 65_536;
/// So many there are even where too few files are allowed.
const FEWEST_CONNECTIONS: u64 = 64;

/// Raises the number of files that the process may open to the most that it may choose itself, and returns it.
#[must_use]
pub fn raise_limit() -> u64 {
    let now = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum }) {
        tracing::warn!(error = %error, "could not raise the number of open files; fewer clients can connect at once");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many connections of clients fit into this number of open files, beside those to the database.
#[must_use]
pub fn connections_for(files: u64, database_connections: u32) -> usize {
    // The pool, and the connections of the queue's tasks.
    let others = OWN_FILES + 2 * u64::from(database_connections);
    let room = files.saturating_sub(others).clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        assert_eq!(connections_for(1024, 16), 832);
        assert_eq!(connections_for(64, 16), 64);
        assert_eq!(connections_for(u64::MAX, 16), 65_536);
    }
}
