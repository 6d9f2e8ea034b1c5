//! Sends the cards of tickets that change to readers who follow them, while there are any: those of tickets that events are
//! about at once, and every few seconds those of others whose state is another one than was sent.

use crate::actions::live::cards::{Card, cards_of, live_tickets};
use crate::changes::{CardText, Cards, FellBehind, Touched, TouchedTickets};
use crate::state::App;
use std::collections::HashSet;
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::TicketId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often tickets that wait or run are looked at: no card of theirs is older than this, and a reason that comes and
/// goes, as slots on a busy host do, is sent no more often.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The pause between retries while the database is not available.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(app: App, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = follow(&app) => done,
        };
        if let Err(error) = done {
            warn(&error);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}

fn warn(error: &sqlx::Error) {
    tracing::warn!(error = chain(error), "could not read changed cards; retrying");
}

/// Until there is no such reader any more, or this one has fallen behind.
async fn follow(app: &App) -> sqlx::Result<()> {
    let cards = app.database.hub().cards();
    cards.wanted().await;
    let mut log = TouchedTickets::follow(&app.database).await?;
    cards.begin();
    let (mut touched, mut look_at) = (Touched::default(), Instant::now() + LOOK_EVERY);
    loop {
        if log.next(&mut touched, look_at).await == Err(FellBehind) {
            cards.lost();
            return Ok(());
        }
        if cards.end_if_unwanted() {
            return Ok(());
        }
        let looks = touched.others || Instant::now() >= look_at;
        match send(app, cards, &touched, looks).await {
            Ok(()) => touched = Touched::default(),
            // What was touched is kept, and read with what comes next.
            Err(error) => {
                warn(&error);
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
        if looks {
            look_at = Instant::now() + LOOK_EVERY;
        }
    }
}

/// Sends the cards of tickets that were touched, and with `looks` those of others that say something new.
async fn send(app: &App, cards: &Cards, touched: &Touched, looks: bool) -> sqlx::Result<()> {
    let mut tickets: HashSet<TicketId> = touched.tickets.iter().copied().collect();
    if looks {
        let live = live_tickets(&app.database).await?;
        cards.told().retain(|ticket| live.contains(&ticket));
        tickets.extend(live);
    }
    let read = cards_of(&app.database, app.config.limits.lease, tickets).await?;
    let news = read.iter().filter(|card| cards.told().note(card.id, &card.state) || touched.tickets.contains(&card.id));
    cards.send(news.map(text).collect());
    Ok(())
}

fn text(card: &Card) -> CardText {
    // Made of words, numbers and texts: it can always be written.
    let json = serde_json::to_string(card).unwrap_or_default();
    CardText::new(card.project_id, card.id, &json)
}
