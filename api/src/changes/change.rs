//! The database as routes and actions get it: connections to read, and changes that record what they do.

use super::Hub;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::live::event::NewEvent;
use crate::metrics::{AttemptEnd, Connections, Metrics};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
}

impl Database {
    /// A database whose changes this hub publishes and these metrics count.
    #[must_use]
    pub fn new(pool: PgPool, hub: Arc<Hub>, metrics: Arc<Metrics>) -> Self {
        Self { pool, hub, metrics }
    }

    /// The pool, for what needs connections of its own.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let (open, most) = (self.pool.size(), self.pool.options().get_max_connections());
        Connections { open, idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX), most }
    }

    /// Where readers follow the event log.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// A connection to read from.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn read(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.pool.acquire().await
    }

    /// A transaction to read from, where several reads must see the same state.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn transaction(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.pool.begin().await
    }

    /// Whether the database accepts changes.
    ///
    /// # Errors
    /// When it does not respond.
    pub async fn accepts_changes(&self) -> sqlx::Result<bool> {
        db::connections::accepts_changes(&mut *self.read().await?).await
    }

    /// Begins a change that this actor makes.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn change(&self, actor: &Actor) -> sqlx::Result<Change> {
        let transaction = self.pool.begin().await?;
        let (actor, database) = (actor.clone(), self.clone());
        Ok(Change { transaction, actor, events: Vec::new(), ended: Vec::new(), database })
    }
}

/// A transaction that records its events before it commits. Dropped before that, it changes nothing.
#[derive(Debug)]
pub struct Change {
    transaction: Transaction<'static, Postgres>,
    actor: Actor,
    events: Vec<NewEvent>,
    ended: Vec<AttemptEnd>,
    database: Database,
}

impl Change {
    /// Records an event; it is stored by [`Change::commit`], while the rows that it is about are still locked.
    pub fn record(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Says who makes the change, where that becomes clear during it: who signs in is no one before.
    pub fn made_by(&mut self, actor: Actor) {
        self.actor = actor;
    }

    /// Counts an attempt that this change ends, once it is committed.
    pub fn count(&mut self, ended: AttemptEnd) {
        self.ended.push(ended);
    }

    /// Stores the events and commits.
    ///
    /// # Errors
    /// When the database is not available; then nothing was changed, or it is not known whether it was.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        if !self.events.is_empty() {
            db::live::events::append(&mut self.transaction, &self.actor, &self.events).await?;
            let audited = || self.events.iter().filter(|event| event.kind.is_audited()).cloned().collect::<Vec<_>>();
            let audited = if self.actor.is_audited() { audited() } else { Vec::new() };
            if !audited.is_empty() {
                db::people::audit::append(&mut self.transaction, &self.actor, &audited).await?;
            }
        }
        self.transaction.commit().await?;
        self.database.hub.committed_kinds(self.events.iter().map(|event| event.kind));
        self.ended.iter().for_each(|ended| self.database.metrics.attempt_ended(ended));
        Ok(())
    }
}

impl Deref for Change {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
