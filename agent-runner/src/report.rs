//! The attempt's log at the API: entries in order, masked, bounded, retried until they arrive. A log that can't be
//! written never fails the attempt.

use serde_json::Value;
use std::time::Duration;
use terarchitect_outbound::{Mask, Retry};
use terarchitect_worker_api::client::WorkerClient;
use terarchitect_worker_api::{AppendLogRequest, EntryData, ProjectId, TicketId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How many entries may wait for the API; further ones are dropped, with a warning.
const MAX_WAITING: usize = 1_000;
/// The longest summary, in bytes.
const MAX_SUMMARY_BYTES: usize = 8 * 1024;
/// The longest raw output, in bytes.
pub const MAX_RAW_BYTES: usize = 64 * 1024;
/// Entries about single steps of the agent are dropped before this much of the room for waiting entries is left: what
/// the agent does in detail must not displace what becomes of it.
const ROOM_FOR_OTHERS: usize = MAX_WAITING / 4;
/// The longest text in an entry's data, in bytes, and where all of it together would be too large.
const MAX_DATA_TEXT_BYTES: usize = 4 * 1024;
const SHORT_DATA_TEXT_BYTES: usize = 256;
/// For how long sending one entry is retried.
const ENTRY_LIMIT: Duration = Duration::from_secs(120);

/// Takes log entries and sends them in the background.
#[derive(Clone, Debug)]
pub struct Reporter {
    entries: mpsc::Sender<Item>,
    session_id: String,
    mask: Mask,
}

/// What waits to be sent.
#[derive(Debug)]
enum Item {
    Entry(Box<AppendLogRequest>),
    /// Says that everything before it is sent.
    Flush(oneshot::Sender<()>),
}

/// The background task; wait for it at the end.
#[derive(Debug)]
pub struct Sending(JoinHandle<()>);

impl Reporter {
    /// A reporter for one attempt.
    #[must_use]
    pub fn start(client: WorkerClient, project: ProjectId, ticket: TicketId, mask: Mask) -> (Self, Sending) {
        let (entries, mut waiting) = mpsc::channel::<Item>(MAX_WAITING);
        let sending = tokio::spawn(async move {
            while let Some(item) = waiting.recv().await {
                let entry = match item {
                    Item::Entry(entry) => entry,
                    Item::Flush(done) => {
                        // Who asked may no longer wait for it.
                        let _ = done.send(());
                        continue;
                    }
                };
                if let Err(error) = client.append_log(project, ticket, &entry, Retry::For(ENTRY_LIMIT)).await {
                    tracing::warn!(
                        step = entry.step,
                        error = error.chain(),
                        "could not send a log entry to the API; it is dropped"
                    );
                }
            }
        });
        let session_id = Uuid::now_v7().to_string();
        (Self { entries, session_id, mask }, Sending(sending))
    }

    /// Adds an entry.
    pub fn log(&self, step: &str, summary: &str, raw_output: Option<&str>) {
        self.add(step, summary, raw_output, true);
    }

    /// Adds an entry that programs understand too.
    pub fn log_data(&self, step: &str, summary: &str, raw_output: Option<&str>, data: EntryData) {
        self.log_outcome(step, summary, raw_output, data, true);
    }

    /// The same of what may have failed.
    pub fn log_outcome(&self, step: &str, summary: &str, raw_output: Option<&str>, data: EntryData, success: bool) {
        self.send(AppendLogRequest { data: self.clean(data), ..self.make(step, summary, raw_output, success) });
    }

    /// Adds an entry about a single step of the agent. Never waits; where the API is slow, it is dropped.
    pub fn live(&self, step: &str, summary: &str, raw_output: Option<&str>, data: EntryData) {
        if self.entries.capacity() <= ROOM_FOR_OTHERS {
            tracing::debug!(step, "too many log entries are waiting to be sent to the API; this step is left out");
            return;
        }
        let entry = AppendLogRequest { data: self.clean(data), ..self.make(step, summary, raw_output, true) };
        tracing::debug!(step, "{}", entry.summary.lines().next().unwrap_or_default());
        self.queue(entry);
    }

    /// Waits until everything that was added so far is sent, but no longer than `limit`.
    pub async fn flush(&self, limit: Duration) {
        let (done, sent) = oneshot::channel();
        let flushing = async {
            if self.entries.send(Item::Flush(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(limit, flushing).await;
    }

    /// Adds an entry about something that went wrong.
    pub fn failed(&self, step: &str, summary: &str) {
        self.add(step, summary, None, false);
    }

    /// An entry that is not sent yet, for those whose arrival matters.
    #[must_use]
    pub fn entry(&self, step: &str, summary: &str, raw_output: Option<&str>) -> AppendLogRequest {
        self.make(step, summary, raw_output, true)
    }

    fn make(&self, step: &str, summary: &str, raw_output: Option<&str>, success: bool) -> AppendLogRequest {
        let clean = |text: &str, max: usize| bounded(&self.mask.apply(text).replace('\0', "\u{fffd}"), max);
        AppendLogRequest {
            session_id: self.session_id.clone(),
            step: step.to_owned(),
            summary: clean(summary, MAX_SUMMARY_BYTES),
            raw_output: raw_output.map(|text| clean(text, MAX_RAW_BYTES)),
            success: Some(success),
            entry_key: Some(Uuid::now_v7()),
            data: None,
        }
    }

    fn add(&self, step: &str, summary: &str, raw_output: Option<&str>, success: bool) {
        self.send(self.make(step, summary, raw_output, success));
    }

    fn send(&self, entry: AppendLogRequest) {
        tracing::info!(step = entry.step, "{}", entry.summary.lines().next().unwrap_or_default());
        self.queue(entry);
    }

    fn queue(&self, entry: AppendLogRequest) {
        if let Err(error) = self.entries.try_send(Item::Entry(Box::new(entry))) {
            let step = match error.into_inner() {
                Item::Entry(entry) => entry.step,
                Item::Flush(_) => String::new(),
            };
            tracing::warn!(step, "too many log entries are waiting to be sent to the API; this one is dropped");
        }
    }

    /// The data without secrets, and small enough for the API; none where it can't be.
    fn clean(&self, data: EntryData) -> Option<EntryData> {
        let mut value = serde_json::to_value(data).ok()?;
        for max in [MAX_DATA_TEXT_BYTES, SHORT_DATA_TEXT_BYTES] {
            self.clean_texts(&mut value, max);
            if value.to_string().len() <= EntryData::MAX_BYTES {
                return serde_json::from_value(value).ok();
            }
        }
        None
    }

    fn clean_texts(&self, value: &mut Value, max: usize) {
        match value {
            Value::String(text) => *text = bounded(&self.mask.apply(text).replace('\0', "\u{fffd}"), max),
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_texts(item, max)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.clean_texts(field, max)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl Sending {
    /// Waits until everything is sent, but no longer than `limit`. Drop every [`Reporter`] first; otherwise this always
    /// waits until the limit.
    pub async fn finish(mut self, limit: Duration) {
        if tokio::time::timeout(limit, &mut self.0).await.is_err() {
            tracing::warn!("could not send the last log entries to the API in time; they are dropped");
            self.0.abort();
        }
    }
}

/// The text; a longer one is reduced to its beginning and end, with a note about how much is left out.
fn bounded(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_worker_api::TodoEntry;

    fn entry(waiting: &mut mpsc::Receiver<Item>) -> AppendLogRequest {
        match waiting.try_recv().unwrap() {
            Item::Entry(entry) => *entry,
            Item::Flush(_) => panic!("an entry is expected"),
        }
    }

    fn reporter(room: usize) -> (Reporter, mpsc::Receiver<Item>) {
        let (entries, waiting) = mpsc::channel(room);
        let mask = Mask::new([&secrecy::SecretString::from("secret-key".to_owned())]);
        (Reporter { entries, session_id: "s".to_owned(), mask }, waiting)
    }

    fn todo(items: usize, content: &str) -> EntryData {
        let item = TodoEntry { content: content.to_owned(), status: "pending".to_owned() };
        EntryData::Todo { items: vec![item; items] }
    }

    #[test]
    fn data_is_masked_and_small() {
        let (reporter, mut waiting) = reporter(MAX_WAITING);
        reporter.log_data("todo", "x", None, todo(1, "use secret-key\0"));
        assert_eq!(entry(&mut waiting).data, Some(todo(1, "use [secret]\u{fffd}")));
        reporter.live("todo", "x", None, todo(50, &"y".repeat(3_000)));
        let data = entry(&mut waiting).data.unwrap();
        assert!(serde_json::to_string(&data).unwrap().len() <= EntryData::MAX_BYTES);
        reporter.live("todo", "x", None, todo(5_000, "z"));
        assert_eq!(entry(&mut waiting).data, None);
    }

    #[test]
    fn single_steps_never_displace_what_becomes_of_the_attempt() {
        let (reporter, waiting) = reporter(MAX_WAITING);
        for _ in 0..2 * MAX_WAITING {
            reporter.live("tool", "x", None, todo(0, ""));
        }
        assert_eq!(waiting.len(), MAX_WAITING - ROOM_FOR_OTHERS);
        reporter.log("turn", "The turn ended", None);
        assert_eq!(waiting.len(), MAX_WAITING - ROOM_FOR_OTHERS + 1);
    }

    #[test]
    fn a_long_text_keeps_its_ends_and_says_what_is_missing() {
        let text = format!("begin{}é{}end", "x".repeat(500), "y".repeat(500));
        let short = bounded(&text, 100);
        assert!(short.starts_with("beginx") && short.ends_with("yend"));
        assert!(short.contains("910 bytes left out"), "{short}");
        assert_eq!(bounded("short", 100), "short");
    }
}
