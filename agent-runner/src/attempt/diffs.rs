//! Sends what turns change, and the whole branch, to the API in the background, so that people can read it there. A diff
//! that can't be sent never fails the attempt, and never makes it wait.

use crate::git::Patch;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use terarchitect_outbound::{Mask, Retry};
use terarchitect_worker_api::client::WorkerClient;
use terarchitect_worker_api::{ProjectId, StoreDiffRequest, TicketId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The longest patch that is sent, in bytes.
pub(super) const MAX_PATCH_BYTES: usize = StoreDiffRequest::MAX_PATCH_BYTES;
/// The longest patch as JSON, which writes some characters longer: the API's limit of a body, less the other fields.
const MAX_ENCODED_BYTES: usize = StoreDiffRequest::MAX_BODY_BYTES - 64 * 1024;
/// How much may wait to be sent, in bytes; the oldest is dropped for what is newer.
const MAX_WAITING_BYTES: usize = 4 * MAX_PATCH_BYTES;
/// For how long sending one diff is retried.
const DIFF_PATIENCE: Duration = Duration::from_secs(120);

/// Takes diffs to send.
#[derive(Clone, Debug)]
pub(super) struct Diffs {
    waiting: Arc<Waiting>,
    mask: Mask,
}

/// The background task; wait for it at the end.
#[derive(Debug)]
pub(super) struct SendingDiffs {
    waiting: Arc<Waiting>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    diffs: VecDeque<StoreDiffRequest>,
    ended: bool,
}

impl Diffs {
    pub(super) fn start(
        client: WorkerClient,
        project: ProjectId,
        ticket: TicketId,
        mask: Mask,
    ) -> (Self, SendingDiffs) {
        let waiting = Arc::new(Waiting::default());
        let task = tokio::spawn(send_all(waiting.clone(), client, project, ticket));
        (Self { waiting: waiting.clone(), mask }, SendingDiffs { waiting, task })
    }

    /// Sends what a turn changed, or without a turn what the whole branch changes.
    pub(super) fn send(&self, turn: Option<u32>, patch: Patch) {
        let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let (text, cut) = bounded(&self.mask.apply(&patch.text).replace('\0', "\u{fffd}"));
        let request = StoreDiffRequest {
            attempt: None,
            turn: turn.map(|turn| i32::try_from(turn).unwrap_or(i32::MAX)),
            commit: Some(patch.commit),
            base: Some(patch.base),
            files: number(patch.files),
            added: number(patch.added),
            removed: number(patch.removed),
            patch: text,
            truncated: patch.truncated || cut,
        };
        self.waiting.queue().add(request);
        self.waiting.changed.notify_one();
    }
}

impl SendingDiffs {
    /// Waits until everything is sent, but no longer than `limit`.
    pub(super) async fn finish(mut self, limit: Duration) {
        self.waiting.queue().ended = true;
        self.waiting.changed.notify_one();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            tracing::warn!("could not send the last diffs to the API in time; they are dropped");
            self.task.abort();
        }
    }
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// A newer diff of the same turn, or of the branch, takes the place of one that still waits.
    fn add(&mut self, diff: StoreDiffRequest) {
        self.diffs.retain(|waiting| waiting.turn != diff.turn);
        self.diffs.push_back(diff);
        while self.diffs.len() > 1 && self.diffs.iter().map(|diff| diff.patch.len()).sum::<usize>() > MAX_WAITING_BYTES
        {
            self.diffs.pop_front();
            tracing::warn!("too many diffs are waiting to be sent to the API; the oldest is dropped");
        }
    }
}

async fn send_all(waiting: Arc<Waiting>, client: WorkerClient, project: ProjectId, ticket: TicketId) {
    loop {
        let (next, ended) = {
            let mut queue = waiting.queue();
            (queue.diffs.pop_front(), queue.ended)
        };
        let Some(diff) = next else {
            if ended {
                return;
            }
            waiting.changed.notified().await;
            continue;
        };
        if let Err(error) = client.store_diff(project, ticket, &diff, Retry::For(DIFF_PATIENCE)).await {
            tracing::info!(turn = diff.turn, error = error.chain(), "could not send a diff to the API; it is dropped");
        }
    }
}

/// The patch up to the last line that fits, as text and as JSON, and whether that is not all of it.
fn bounded(text: &str) -> (String, bool) {
    let (mut end, mut encoded) = (0, 0);
    for line in text.split_inclusive('\n') {
        encoded += line.bytes().map(encoded_bytes).sum::<usize>();
        if end + line.len() > MAX_PATCH_BYTES || encoded > MAX_ENCODED_BYTES {
            return (text[..end].to_owned(), true);
        }
        end += line.len();
    }
    (text.to_owned(), false)
}

/// How many bytes JSON needs for this one.
fn encoded_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(turn: Option<i32>, bytes: usize) -> StoreDiffRequest {
        let (patch, truncated) = ("x".repeat(bytes), false);
        let (commit, base) = (None, None);
        StoreDiffRequest { attempt: None, turn, commit, base, files: 1, added: 1, removed: 0, patch, truncated }
    }

    #[test]
    fn a_newer_diff_takes_the_place_of_an_older_one_and_what_waits_is_bounded() {
        let mut queue = Queue::default();
        for (turn, bytes) in [(None, 1), (Some(1), 1), (None, 2)] {
            queue.add(diff(turn, bytes));
        }
        let waiting: Vec<_> = queue.diffs.iter().map(|diff| (diff.turn, diff.patch.len())).collect();
        assert_eq!(waiting, [(Some(1), 1), (None, 2)]);
        for turn in 2..20 {
            queue.add(diff(Some(turn), MAX_PATCH_BYTES));
        }
        assert_eq!(
            queue.diffs.iter().map(|diff| diff.turn).collect::<Vec<_>>(),
            [Some(16), Some(17), Some(18), Some(19)]
        );
    }

    #[test]
    fn a_patch_ends_with_the_last_line_that_fits() {
        assert_eq!(bounded("a\nb"), ("a\nb".to_owned(), false));
        let line = format!("{}\n", "x".repeat(1023));
        let (text, cut) = bounded(&line.repeat(13 * 1024));
        assert!(cut && text.len() == MAX_PATCH_BYTES && text.ends_with('\n'), "{}", text.len());
        // Escapes of terminals are six times as long in JSON.
        let (text, cut) = bounded(&"\u{1b}[0m\n".repeat(2_000_000));
        let request = StoreDiffRequest { patch: text, ..diff(None, 0) };
        assert!(cut && serde_json::to_string(&request).unwrap().len() <= StoreDiffRequest::MAX_BODY_BYTES);
    }
}
