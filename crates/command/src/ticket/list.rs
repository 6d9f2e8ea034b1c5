//! `terarchitect ticket list`.

use crate::app::App;
use crate::exit;
use crate::output::{Field, Tone, field, tone_of, toned};
use crate::state;
use crate::text;
use serde::Serialize;
use std::collections::HashMap;
use terarchitect_client::{Card, Ticket};

/// A ticket with its state, where the API says it.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    ticket: Ticket,
    state: Option<terarchitect_client::State>,
}

pub(super) async fn list(app: &App, column: Option<&str>) -> anyhow::Result<u8> {
    let project = app.project(None).await?;
    let mut tickets = app.client.tickets(project.id).await?;
    tickets.retain(|ticket| column.is_none_or(|column| ticket.column_id == column));
    let cards: HashMap<_, Card> = match app.client.board(project.id).await {
        Ok(board) => board.cards.into_iter().map(|card| (card.id, card)).collect(),
        Err(error) if error.is_not_supported() => HashMap::new(),
        Err(error) => return Err(error.into()),
    };
    let state_of = |ticket: &Ticket| cards.get(&ticket.id).map(|card| card.state.clone());
    let listed: Vec<Listed> = tickets.into_iter().map(|ticket| Listed { state: state_of(&ticket), ticket }).collect();
    if app.out.json {
        app.out.document(&listed)?;
    } else if listed.is_empty() {
        app.out.note("There is no such ticket. Make one: terarchitect ticket new \"Title\" < text");
    } else {
        let head = ["ID", "Title", "State", "", "Pull request"];
        app.out.table(&head, listed.iter().map(|one| row(app, one)).collect())?;
    }
    Ok(exit::DONE)
}

fn row(app: &App, listed: &Listed) -> Vec<Field> {
    let ticket = &listed.ticket;
    let id = if app.out.terminal { text::short_id(ticket.id) } else { ticket.id.to_string() };
    let (state, sentence) = match &listed.state {
        Some(state) => (toned(state::word(state), tone_of(&state.word)), state::sentence(state)),
        None => (toned(&ticket.column_id, tone_of(&ticket.column_id)), ticket.status.clone()),
    };
    let url = ticket.pr_url.as_deref().unwrap_or_default();
    vec![toned(id, Tone::Dim), field(&ticket.title), state, field(sentence), field(url)]
}
