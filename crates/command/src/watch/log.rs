//! The entries of a ticket's log that were not shown yet.

use std::collections::HashSet;
use terarchitect_client::{Client, ClientError, LogEntry};
use uuid::Uuid;

/// Entries of one page.
const PAGE: u32 = 100;
/// An entry with a smaller number can be committed after one with a larger number: each read begins so much earlier, and
/// drops what is known.
const OVERLAP: i64 = 50;

/// What is known of a log.
#[derive(Debug)]
pub(super) struct Log {
    project: Uuid,
    ticket: Uuid,
    known: HashSet<Uuid>,
    newest: i64,
    /// Whether the API has numbered pages; an older one has only the whole log.
    paged: bool,
    begun: Vec<LogEntry>,
}

impl Log {
    /// Reads what there is; all but the last `shown` entries count as shown.
    pub(super) async fn begin(client: &Client, project: Uuid, ticket: Uuid, shown: usize) -> Result<Self, ClientError> {
        let mut log = Self { project, ticket, known: HashSet::new(), newest: 0, paged: true, begun: Vec::new() };
        let entries = match client.timeline(project, ticket, None, None, PAGE).await {
            Ok(page) => page.entries,
            Err(error) if error.is_not_supported() => {
                log.paged = false;
                client.logs(project, ticket).await?
            }
            Err(error) => return Err(error),
        };
        let mut entries = log.unknown(entries);
        log.begun = entries.split_off(entries.len().saturating_sub(shown));
        Ok(log)
    }

    /// The entries to begin with, once.
    pub(super) fn take_begun(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.begun)
    }

    /// Entries that were not returned before, in order.
    pub(super) async fn new_entries(&mut self, client: &Client) -> Result<Vec<LogEntry>, ClientError> {
        if !self.paged {
            let entries = client.logs(self.project, self.ticket).await?;
            return Ok(self.unknown(entries));
        }
        let mut entries = Vec::new();
        let mut after = (self.newest - OVERLAP).max(0);
        loop {
            let page = client.timeline(self.project, self.ticket, None, Some(after), PAGE).await?;
            let last = page.entries.iter().filter_map(|entry| entry.seq).max();
            entries.extend(page.entries);
            match last {
                Some(last) if page.newer && last > after => after = last,
                _ => return Ok(self.unknown(entries)),
            }
        }
    }

    /// Only those that are not known yet; from now on they are.
    fn unknown(&mut self, entries: Vec<LogEntry>) -> Vec<LogEntry> {
        let newest = entries.iter().filter_map(|entry| entry.seq).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
        entries.into_iter().filter(|entry| self.known.insert(entry.id)).collect()
    }
}
