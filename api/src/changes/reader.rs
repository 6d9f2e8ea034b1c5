//! A reader of the event log: first what its position has not seen, from the database, then what the hub publishes.

use super::Database;
use super::batch::{Batch, Live};
use super::cards::{CardNews, LiveCards};
use crate::db;
use crate::db::live::events::{Event, Filter};
use crate::domain::live::event::EventKind;
use crate::domain::live::position::Position;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A comment this often keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The least time between two parts for a reader that wants cards, which is a page: what happens within it is sent together. On a
/// busy board, a write for each event to each page would be most of what open pages cost.
const PAGE_PAUSE: Duration = Duration::from_millis(250);
/// The most events that one read of the backlog takes.
const PAGE: u16 = 500;

/// Where a reader begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// With what happens from now on.
    FromNow,
    /// With what this position has not seen.
    After(Position),
}

/// Who follows, as far as events can change what that is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    /// The person.
    pub person: Option<Uuid>,
    /// The person's session.
    pub session: Option<Uuid>,
    /// The token.
    pub token: Option<Uuid>,
    /// When either ends.
    pub until: Option<DateTime<Utc>>,
    /// Whether it is this machine, which needs no key until the first person exists.
    pub is_local: bool,
}

impl Concern {
    /// Whether this event changes what the reader may see.
    fn is_touched_by(&self, event: &Event) -> bool {
        let names = |key: &str, id: Option<Uuid>| {
            id.is_some_and(|id| event.data[key].as_str().is_some_and(|text| text.parse() == Ok(id)))
        };
        match event.kind {
            EventKind::PersonChanged | EventKind::PersonDeleted => names("person_id", self.person),
            EventKind::PersonCreated => self.is_local,
            EventKind::SessionEnded => names("session_id", self.session),
            EventKind::TokenRevoked => names("token_id", self.token),
            _ => false,
        }
    }
}

/// Why the log could not be read from a position.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Events after the position have been deleted.
    #[error("the events after this position have been deleted")]
    TooOld,
    /// The database failed.
    #[error("could not read the event log")]
    Database(#[from] sqlx::Error),
}

/// A page of events.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events in order.
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub next: Position,
    /// Whether there are more events now.
    pub more: bool,
}

/// A page of the events that a reader has not seen.
///
/// # Errors
/// When the position is too old, or the database is not available.
pub async fn page(database: &Database, from: &Follow, filter: &Filter, limit: u16) -> Result<Page, ReadError> {
    let mut conn = database.read().await?;
    let position = match from {
        Follow::FromNow => Position::after(db::live::events::snapshot(&mut conn).await?),
        Follow::After(position) => position.clone(),
    };
    if db::live::events::is_too_old(&mut conn, &position).await? {
        return Err(ReadError::TooOld);
    }
    let unseen = db::live::events::unseen(&mut conn, &position, None, filter, limit).await?;
    // The end of what was visible when an earlier page was read is not the end of the log.
    let more = unseen.more || position.partly.is_some();
    Ok(Page { next: unseen.end(&position), events: unseen.events, more })
}

/// A stream of Server-Sent Events.
#[derive(Debug)]
pub struct Reader {
    database: Database,
    filter: Filter,
    concern: Concern,
    stop: CancellationToken,
    /// What the reader has seen.
    position: Position,
    /// Up to where the backlog is read from the database; none once that is done.
    behind: Option<Position>,
    /// Sent first: how long to wait before reconnecting, and whether events are missing.
    greeting: Option<Bytes>,
    /// What is published from there on.
    live: Live,
    /// The cards of tickets that change, if the reader wants them.
    cards: Option<LiveCards>,
    last_sent: Instant,
}

impl Reader {
    /// Begins to follow. A position that is too old gets a `resync` event, and then what happens from now on.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn start(
        database: Database,
        follow: Follow,
        filter: Filter,
        concern: Concern,
        wants_cards: bool,
        stop: CancellationToken,
    ) -> sqlx::Result<Self> {
        // Before the position, so that a card of everything after it comes.
        let cards = match wants_cards {
            true => Some(database.hub().cards().subscribe().await),
            false => None,
        };
        let (live, now) = database.hub().subscribe().await?;
        let mut greeting = String::from("retry: 2000\n");
        let position = match follow {
            Follow::FromNow => None,
            Follow::After(position) => {
                if db::live::events::is_too_old(&mut *database.read().await?, &position).await? {
                    greeting.push_str("event: resync\ndata: {\"reason\": \"position_too_old\"}\n");
                    None
                } else {
                    Some(position)
                }
            }
        };
        let behind = position.is_some().then(|| now.clone());
        if behind.is_none() {
            greeting.push_str(&format!("id: {now}\n"));
        }
        greeting.push('\n');
        let (position, greeting) = (position.unwrap_or(now), Some(Bytes::from(greeting)));
        Ok(Self { database, filter, concern, stop, position, behind, greeting, live, cards, last_sent: Instant::now() })
    }

    /// The next part of the stream; none when it ends: at shutdown, when what the reader may see has changed, when the reader has fallen too far behind, or when the
    /// database fails. The client then connects again and resumes after the last event that it got.
    pub async fn next(&mut self) -> Option<Bytes> {
        let stop = self.stop.clone();
        let part = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            part = self.next_part() => part,
        };
        self.last_sent = Instant::now();
        part
    }

    async fn next_part(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let keep_alive = self.last_sent + KEEP_ALIVE;
        if self.cards.is_some() {
            tokio::time::sleep_until(self.last_sent + PAGE_PAUSE).await;
        }
        loop {
            if let Some(until) = self.behind.take() {
                match self.catch_up(until).await {
                    Ok(text) if text.is_empty() => continue,
                    Ok(text) => return Some(text),
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "ended a stream of events");
                        return None;
                    }
                }
            }
            if self.concern.until.is_some_and(|until| until <= Utc::now()) {
                return None;
            }
            let first = tokio::select! {
                batch = self.live.recv() => {
                    let batch = batch.ok()?;
                    self.wanted_events(&batch)?
                }
                news = next_cards(&mut self.cards) => self.wanted_cards(&news?)?,
                // With the position, so that a reader that nothing concerns does not fall behind.
                () = tokio::time::sleep_until(keep_alive) => {
                    return Some(format!(": keep-alive\nid: {}\n\n", self.position).into());
                }
            };
            let part = if self.cards.is_some() { self.with_what_else_is_there(first)? } else { first };
            if !part.is_empty() {
                return Some(part);
            }
        }
    }

    /// Adds what has come meanwhile; none when the stream ends with it.
    fn with_what_else_is_there(&mut self, first: Bytes) -> Option<Bytes> {
        let mut parts = vec![first];
        loop {
            match self.live.try_recv() {
                Ok(batch) => parts.push(self.wanted_events(&batch)?),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return None,
            }
        }
        // After the events, as they were published.
        while let Some(cards) = &mut self.cards {
            match cards.try_recv() {
                Ok(news) => parts.push(self.wanted_cards(&news)?),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return None,
            }
        }
        parts.retain(|part| !part.is_empty());
        Some(if parts.len() > 1 { parts.concat().into() } else { parts.pop().unwrap_or_default() })
    }

    /// The events of a batch that this reader wants; none when the stream ends with them.
    fn wanted_events(&mut self, batch: &Batch) -> Option<Bytes> {
        if batch.events.iter().any(|(event, _)| self.concern.is_touched_by(event)) {
            return None;
        }
        self.position = batch.end.clone();
        Some(batch.wanted(&self.filter))
    }

    /// The cards that this reader wants; none when some were lost: it connects again, and reads its board again.
    fn wanted_cards(&self, news: &CardNews) -> Option<Bytes> {
        match news {
            CardNews::Cards(cards) => Some(cards.wanted(&self.filter)),
            CardNews::Lost => None,
        }
    }

    /// A page of the backlog; empty where it holds nothing for this reader.
    async fn catch_up(&mut self, until: Position) -> sqlx::Result<Bytes> {
        let from = self.position.clone();
        let mut conn = self.database.read().await?;
        let unseen = db::live::events::unseen(&mut conn, &from, Some(until.newest()), &self.filter, PAGE).await?;
        self.position = unseen.end(&from);
        if unseen.more || from.partly.is_some() {
            self.behind = Some(until);
        }
        Ok(Batch::new(unseen.events, &from, self.position.clone()).text)
    }
}

/// The next cards; none when some were lost. Waits for ever where no cards are wanted.
async fn next_cards(cards: &mut Option<LiveCards>) -> Option<CardNews> {
    match cards {
        Some(cards) => cards.recv().await.ok(),
        None => std::future::pending().await,
    }
}
