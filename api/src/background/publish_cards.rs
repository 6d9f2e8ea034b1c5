//! Sends the cards of tickets that change to readers who follow them, while there are any.

use crate::actions::live::cards::{Card, changed_cards};
use crate::changes::{CardText, TouchedTickets};
use crate::state::App;
use std::collections::HashMap;
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::TicketId;
use tokio_util::sync::CancellationToken;

/// The pause between retries while the database is not available.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = follow(&app) => done,
        };
        if let Err(error) = done {
            tracing::warn!(error = chain(&error), "could not read changed cards; retrying");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}

/// Until there is no such reader any more, or this one has fallen behind.
async fn follow(app: &App) -> sqlx::Result<()> {
    let cards = app.database.hub().cards();
    cards.wanted().await;
    let mut touched = TouchedTickets::follow(&app.database).await?;
    // What was sent of tickets that wait: most of them wait as before.
    let mut sent = HashMap::new();
    while let Some(next) = touched.next().await {
        if cards.readers() == 0 {
            return Ok(());
        }
        let tickets: Vec<TicketId> = next.tickets.iter().copied().collect();
        let changed = changed_cards(&app.database, app.config.limits.lease, &tickets, next.queue).await?;
        let news = changed.iter().filter_map(|card| text(card, next.tickets.contains(&card.id), &mut sent));
        cards.send(news.collect());
    }
    Ok(())
}

/// The card's text, unless it is one that only may have changed, and did not.
fn text(card: &Card, touched: bool, sent: &mut HashMap<TicketId, String>) -> Option<CardText> {
    // Made of words, numbers and texts: it can always be written.
    let json = serde_json::to_string(card).unwrap_or_default();
    let same = sent.get(&card.id).is_some_and(|before| *before == card.state.sentence);
    if same && !touched {
        return None;
    }
    sent.insert(card.id, card.state.sentence.clone());
    Some(CardText::new(card.project_id, card.id, &json))
}
