//! The stream of events, which outlives its connections: it connects again by itself and resumes where it was, so that
//! its reader gets each event once.

use crate::call::unreachable;
use crate::{Client, ClientError, Event};
use bytes::BytesMut;
use reqwest::Response;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Deserialize;
use std::time::Duration;
use terarchitect_outbound::{Retriable, Retry, Waits};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;
use uuid::Uuid;

/// The API sends a comment every 15 seconds; a connection that is silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(45);
/// One event is far smaller; a larger one is not from the API.
const MAX_BLOCK: usize = 4 * 1024 * 1024;

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this project.
    pub project: Option<Uuid>,
    /// Of this ticket.
    pub ticket: Option<Uuid>,
    /// Of this job.
    pub job: Option<Uuid>,
}

impl EventFilter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.project.map(|id| ("project_id", id.to_string())));
        query.extend(self.ticket.map(|id| ("ticket_id", id.to_string())));
        query.extend(self.job.map(|id| ("job_id", id.to_string())));
        query
    }
}

/// What a stream tells its reader.
#[derive(Debug)]
pub enum Happened {
    /// The stream is connected, for the first time or again; what follows is live.
    Connected,
    /// Something happened.
    Event(Box<Event>),
    /// Events were deleted before they could be read: read again everything that you show.
    Resync,
    /// The connection was lost; the stream goes on trying.
    Lost(ClientError),
}

/// A stream of events.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    filter: EventFilter,
    position: String,
    patience: Duration,
    connection: Option<Connection>,
    lost: Option<LostSince>,
}

#[derive(Debug)]
struct Connection {
    response: Response,
    url: Url,
    buffer: BytesMut,
}

struct LostSince {
    waits: Waits,
    again_at: Instant,
}

impl std::fmt::Debug for LostSince {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LostSince").field("again_at", &self.again_at).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Page {
    next: String,
}

impl Client {
    /// The position of the event log now.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events_position(&self) -> Result<String, ClientError> {
        let mut url = self.address("api/events");
        url.query_pairs_mut().extend_pairs([("after", "now"), ("limit", "1")]);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.open(&url, headers).await?;
        let bytes = response.bytes().await.map_err(|source| unreachable(&url, source))?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|source| {
            let expected = "page of events";
            ClientError::InvalidResponse { url: url.clone(), expected, source }
        })?;
        Ok(page.next)
    }

    /// The events after a position. A lost connection is retried for as long as `patience`.
    #[must_use]
    pub fn events(&self, filter: EventFilter, position: String, patience: Duration) -> EventStream {
        EventStream { client: self.clone(), filter, position, patience, connection: None, lost: None }
    }
}

impl EventStream {
    /// Waits for what happens next. Nothing is lost if it is dropped while it waits, but a connection that is being made
    /// is then started over.
    ///
    /// # Errors
    /// The API refuses, or did not respond for as long as the stream is patient.
    pub async fn next(&mut self) -> Result<Happened, ClientError> {
        loop {
            let result = match &mut self.connection {
                None => self.connect().await,
                Some(connection) => connection.next(&mut self.position).await,
            };
            match result {
                Ok(Some(happened)) => return Ok(happened),
                Ok(None) => {}
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) => {
                    self.connection = None;
                    let told = self.lost.is_some();
                    let patience = self.patience;
                    let lost = self.lost.get_or_insert_with(|| LostSince {
                        waits: Waits::new(Retry::For(patience)),
                        again_at: Instant::now(),
                    });
                    let Some(wait) = lost.waits.next_wait() else { return Err(error) };
                    lost.again_at = Instant::now() + error.retry_after().unwrap_or(wait);
                    if !told {
                        return Ok(Happened::Lost(error));
                    }
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Option<Happened>, ClientError> {
        if let Some(lost) = &self.lost {
            sleep_until(lost.again_at).await;
        }
        let mut url = self.client.address("api/events");
        url.query_pairs_mut().extend_pairs(self.filter.query()).append_pair("after", &self.position);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = self.client.open(&url, headers).await?;
        self.connection = Some(Connection { response, url, buffer: BytesMut::new() });
        self.lost = None;
        Ok(Some(Happened::Connected))
    }
}

impl Connection {
    /// The next block that says something, or an error at the connection's end.
    async fn next(&mut self, position: &mut String) -> Result<Option<Happened>, ClientError> {
        if let Some(end) = end_of_block(&self.buffer) {
            let block = self.buffer.split_to(end);
            return self.read(&String::from_utf8_lossy(&block), position);
        }
        if self.buffer.len() > MAX_BLOCK {
            return Err(self.ended("sent an event that is too large"));
        }
        match timeout(SILENCE, self.response.chunk()).await {
            Err(_) => Err(self.ended("sent nothing for 45 seconds")),
            Ok(Err(source)) => Err(unreachable(&self.url, source)),
            Ok(Ok(None)) => Err(self.ended("ended the stream of events")),
            Ok(Ok(Some(bytes))) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(None)
            }
        }
    }

    fn read(&self, block: &str, position: &mut String) -> Result<Option<Happened>, ClientError> {
        let (mut name, mut data, mut id) = ("", String::new(), None);
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => id = Some(value),
                "event" => name = value,
                "data" => {
                    if !data.is_empty() {
                        data.push('\n');
                    }
                    data.push_str(value);
                }
                _ => {}
            }
        }
        let happened = match name {
            "resync" => Some(Happened::Resync),
            "" | "message" if !data.is_empty() => {
                let event = serde_json::from_str(&data).map_err(|source| ClientError::InvalidResponse {
                    url: self.url.clone(),
                    expected: "event",
                    source,
                })?;
                Some(Happened::Event(event))
            }
            _ => None,
        };
        if let Some(id) = id {
            id.clone_into(position);
        }
        Ok(happened)
    }

    /// The end of a connection, as an error that may pass.
    fn ended(&self, what: &str) -> ClientError {
        let host = self.url.host_str().unwrap_or_default();
        let body = crate::ErrorBody { error: format!("{host} {what}"), ..crate::ErrorBody::default() };
        ClientError::Refused { status: reqwest::StatusCode::GATEWAY_TIMEOUT, body: Box::new(body), retry_after: None }
    }
}

/// Where the first block of the buffer ends, after its empty line.
fn end_of_block(buffer: &[u8]) -> Option<usize> {
    let lf = buffer.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2);
    let crlf = buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    match (lf, crlf) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
