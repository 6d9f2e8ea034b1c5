//! One task per process reads new events once and passes them to every reader.
//!
//! It reads nothing while there are no readers, and notifies other processes only while one of those has readers, which
//! they announce. Notifications are coalesced: one per `QUIET` at the most, however many transactions commit, since each
//! NOTIFY takes a lock that all commits of the cluster share.

use super::Cards;
use super::batch::{Batch, Live};
use super::news::News;
use crate::db;
use crate::db::live::events::Filter;
use crate::domain::live::event::EventKind;
use crate::domain::live::position::Position;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_outbound::chain;
use tokio::sync::{Mutex, Notify, broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The channel on which processes notify each other of new events, and announce that they have readers.
pub const NOTIFY_CHANNEL: &str = "terarchitect_events";
/// What an announcement begins with; the name of the process follows.
const READING: &str = "reading:";
/// The least time between two reads: what commits within it is read together.
const QUIET: Duration = Duration::from_millis(10);
/// The least time between two notifications, where this process has no readers of its own.
const QUIET_WITHOUT_READERS: Duration = Duration::from_millis(25);
/// A read even without a notification: for changes by hand with a trigger that was disabled, for notifications that were
/// lost, and for processes that have not yet received this one's announcement.
const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// How often a process with readers announces that.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(5);
/// How long an announcement counts.
const ANNOUNCEMENT_HOLDS: Duration = Duration::from_secs(15);
/// The pause between retries while the database is not available.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The most events in one batch.
const BATCH: u16 = 500;
/// How many batches a reader may fall behind before it is cut off. Bounds the memory of all readers together.
const BACKLOG: usize = 128;

/// Where readers follow the event log.
#[derive(Debug)]
pub struct Hub {
    pool: PgPool,
    /// This process, so that it ignores its own notifications.
    name: Uuid,
    /// A change of this process was committed.
    local: Notify,
    /// Another process has said that there are new events.
    remote: Notify,
    /// Until when another process is known to have readers.
    read_elsewhere: watch::Sender<Option<Instant>>,
    /// Up to where events were published; none while there are no readers.
    published: Mutex<Option<Position>>,
    batches: broadcast::Sender<Arc<Batch>>,
    cards: Cards,
    news: News,
}

impl Hub {
    /// A hub over this database; nothing is read before [`Hub::publish`] runs.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            name: Uuid::new_v4(),
            local: Notify::new(),
            remote: Notify::new(),
            read_elsewhere: watch::Sender::default(),
            published: Mutex::new(None),
            batches: broadcast::Sender::new(BACKLOG),
            cards: Cards::default(),
            news: News::default(),
        }
    }

    /// A change was committed by this process, which may change every list.
    pub fn committed(&self) {
        self.news.count_one();
        self.local.notify_one();
    }

    /// A change with events of these kinds was committed by this process.
    pub(super) fn committed_kinds(&self, kinds: impl IntoIterator<Item = EventKind>) {
        self.news.count(kinds);
        self.local.notify_one();
    }

    /// How often something is known to have happened that changes the summary or the inbox. While there are readers, that
    /// includes what other processes did.
    #[must_use]
    pub fn news(&self) -> u64 {
        self.news.so_far()
    }

    /// A notification of [`NOTIFY_CHANNEL`] came, with this payload.
    pub fn notified(&self, payload: &str) {
        let announcement = payload.strip_prefix(READING);
        if announcement.unwrap_or(payload).parse() == Ok(self.name) {
            return;
        }
        match announcement {
            Some(_) => drop(self.read_elsewhere.send_replace(Some(Instant::now() + ANNOUNCEMENT_HOLDS))),
            None => self.remote.notify_one(),
        }
    }

    /// The cards beside the log.
    #[must_use]
    pub fn cards(&self) -> &Cards {
        &self.cards
    }

    /// How many readers follow.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.batches.receiver_count()
    }

    /// Everything that is published from now on, and up to where events were published before: the two meet without a
    /// gap and without an overlap. The position is newer than any that a reader can bring along.
    pub(super) async fn subscribe(&self) -> sqlx::Result<(Live, Position)> {
        let mut published = self.published.lock().await;
        let mut conn = self.pool.acquire().await?;
        let position = match &mut *published {
            Some(position) if self.readers() > 0 => {
                self.publish_new(&mut conn, position).await?;
                position.clone()
            }
            _ => published.insert(Position::after(db::live::events::snapshot(&mut conn).await?)).clone(),
        };
        if self.readers() == 0 {
            self.announce(&mut conn).await?;
        }
        let live = self.batches.subscribe();
        // The publisher may be waiting without a time limit, as it does while there are no readers.
        self.remote.notify_one();
        Ok((live, position))
    }

    /// Publishes events until `stop`.
    pub async fn publish(&self, stop: CancellationToken) {
        let (mut next, mut announced) = (Instant::now(), Instant::now());
        loop {
            let local = tokio::select! {
                () = stop.cancelled() => return,
                () = self.local.notified() => true,
                () = self.remote.notified() => false,
                () = tokio::time::sleep(SAFETY_INTERVAL), if self.readers() > 0 => false,
            };
            tokio::time::sleep_until(next).await;
            let announces = self.readers() > 0 && announced.elapsed() >= ANNOUNCE_INTERVAL;
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = self.publish_once(local, announces) => done,
            };
            if announces {
                announced = Instant::now();
            }
            next = Instant::now() + if self.readers() > 0 { QUIET } else { QUIET_WITHOUT_READERS };
            if let Err(error) = done {
                tracing::warn!(error = chain(&error), "could not read new events; retrying");
                // What was committed is read again, also if nothing else is.
                self.local.notify_one();
                next = Instant::now() + RETRY_PAUSE;
            }
        }
    }

    async fn announce(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        db::live::events::notify(conn, &format!("{READING}{}", self.name)).await
    }

    async fn publish_once(&self, local: bool, announces: bool) -> sqlx::Result<()> {
        let mut published = self.published.lock().await;
        if self.readers() == 0 {
            *published = None;
        }
        let notifies = local && self.read_elsewhere.borrow().is_some_and(|until| until > Instant::now());
        if !notifies && published.is_none() {
            return Ok(());
        }
        let mut conn = self.pool.acquire().await?;
        if announces {
            self.announce(&mut conn).await?;
        }
        if notifies {
            // Before the read: other processes read at the same time.
            db::live::events::notify(&mut conn, &self.name.to_string()).await?;
        }
        match &mut *published {
            Some(position) => self.publish_new(&mut conn, position).await,
            None => Ok(()),
        }
    }

    /// Sends what is new since this position, and moves it along with each batch that is sent.
    async fn publish_new(&self, conn: &mut PgConnection, published: &mut Position) -> sqlx::Result<()> {
        loop {
            let unseen = db::live::events::unseen(conn, published, None, &Filter::default(), BATCH).await?;
            let (end, more) = (unseen.end(published), unseen.more || published.partly.is_some());
            if !unseen.events.is_empty() {
                // Before they are sent: who learns of them and asks gets an answer that knows them.
                self.news.count_events(&unseen.events);
                // Fails only where the last reader has just left.
                let _ = self.batches.send(Arc::new(Batch::new(unseen.events, published, end.clone())));
            }
            *published = end;
            if !more {
                return Ok(());
            }
        }
    }
}
