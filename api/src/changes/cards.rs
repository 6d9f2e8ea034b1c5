//! The cards of tickets that changed, beside the event log: read once, rendered once, sent to every reader that wants them.
//! So a page that shows a board need not fetch a card for each event.
//!
//! They have no position. A reader that lost some is cut off, connects again, and reads its board again.

use super::shared_parts::SharedParts;
use super::told::Told;
use crate::db::live::events::Filter;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, TicketId};
use tokio::sync::{Notify, broadcast, watch};

/// How many batches a reader may fall behind before it is cut off.
const BACKLOG: usize = 16;
/// How long a new reader waits until the log is followed for it.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(1);

/// A card as it is sent.
#[derive(Clone, Debug)]
pub struct CardText {
    /// Its project.
    pub project_id: ProjectId,
    /// Its ticket.
    pub ticket_id: TicketId,
    /// The Server-Sent Event.
    text: String,
}

impl CardText {
    /// Renders a card that was written as JSON.
    #[must_use]
    pub fn new(project_id: ProjectId, ticket_id: TicketId, json: &str) -> Self {
        Self { project_id, ticket_id, text: format!("event: card\ndata: {json}\n\n") }
    }
}

/// Cards that are sent together.
#[derive(Debug)]
pub(super) struct CardBatch {
    cards: Vec<(ProjectId, TicketId, Bytes)>,
    text: Bytes,
    parts: SharedParts,
}

impl CardBatch {
    fn new(cards: Vec<CardText>) -> Self {
        let mut text = BytesMut::with_capacity(cards.iter().map(|card| card.text.len()).sum());
        cards.iter().for_each(|card| text.extend_from_slice(card.text.as_bytes()));
        let text = text.freeze();
        let mut begin = 0;
        let own = |card: CardText| {
            let end = begin + card.text.len();
            let own = text.slice(begin..end);
            begin = end;
            (card.project_id, card.ticket_id, own)
        };
        let cards = cards.into_iter().map(own).collect();
        Self { cards, text, parts: SharedParts::default() }
    }

    /// The cards that a reader with this filter wants: without a copy, unless it is the first of its kind.
    pub(super) fn wanted(&self, filter: &Filter) -> Bytes {
        if filter.project.is_none() && filter.ticket.is_none() && filter.visible.is_none() {
            return self.text.clone();
        }
        self.parts.get(filter, || {
            let wants = |project: &ProjectId, ticket: &TicketId| {
                filter.project.is_none_or(|wanted| wanted == *project)
                    && filter.ticket.is_none_or(|wanted| wanted == *ticket)
                    && filter.visible.as_ref().is_none_or(|ids| ids.contains(&project.0))
            };
            let wanted = self.cards.iter().filter(|(project, ticket, _)| wants(project, ticket));
            let wanted: Vec<_> = wanted.map(|(_, _, text)| &text[..]).collect();
            if wanted.len() == self.cards.len() { self.text.clone() } else { wanted.concat().into() }
        })
    }
}

/// What readers of cards get.
#[derive(Clone, Debug)]
pub(super) enum CardNews {
    /// Cards.
    Cards(Arc<CardBatch>),
    /// Changes whose cards are not going to be sent.
    Lost,
}

pub(super) type LiveCards = broadcast::Receiver<CardNews>;

/// Where readers follow the cards.
#[derive(Debug)]
pub struct Cards {
    news: broadcast::Sender<CardNews>,
    /// A reader has come.
    wanted: Notify,
    /// Whether the log is followed for them.
    followed: watch::Sender<bool>,
    /// What readers were told last.
    told: Told,
}

impl Default for Cards {
    fn default() -> Self {
        Self {
            news: broadcast::Sender::new(BACKLOG),
            wanted: Notify::new(),
            followed: watch::Sender::new(false),
            told: Told::default(),
        }
    }
}

impl Cards {
    /// Follows the cards of everything that happens from now on.
    pub(super) async fn subscribe(&self) -> LiveCards {
        let live = self.news.subscribe();
        self.wanted.notify_one();
        let mut followed = self.followed.subscribe();
        // While the database is not available the reader can't begin either, which it finds out by itself.
        let _ = tokio::time::timeout(FOLLOWED_WITHIN, followed.wait_for(|followed| *followed)).await;
        live
    }

    /// How many readers follow.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.news.receiver_count()
    }

    /// Waits until there is a reader.
    pub async fn wanted(&self) {
        while self.readers() == 0 {
            self.wanted.notified().await;
        }
    }

    /// From now on the cards of everything that happens are sent.
    pub fn begin(&self) {
        self.told.clear();
        self.followed.send_replace(true);
    }

    /// Whether no reader is left; then nothing is sent until [`Cards::begin`].
    #[must_use]
    pub fn end_if_unwanted(&self) -> bool {
        if self.readers() > 0 {
            return false;
        }
        // First this, then the second look: a reader that comes in between is seen, or sees that it has to wait.
        self.followed.send_replace(false);
        let unwanted = self.readers() == 0;
        self.followed.send_replace(!unwanted);
        unwanted
    }

    /// Changes were lost: readers are cut off, and read everything again.
    pub fn lost(&self) {
        self.followed.send_replace(false);
        // Fails only where there are no readers.
        let _ = self.news.send(CardNews::Lost);
    }

    /// Sends cards to every reader.
    pub fn send(&self, cards: Vec<CardText>) {
        if !cards.is_empty() {
            // Fails only where the last reader has just left.
            let _ = self.news.send(CardNews::Cards(Arc::new(CardBatch::new(cards))));
        }
    }

    /// What readers were told last of tickets that wait or run.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }
}
