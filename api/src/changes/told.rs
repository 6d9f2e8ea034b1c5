//! What the readers of cards were told last of tickets that wait or run. Their state changes without an event of their own: a
//! slot becomes free, a host falls silent. So they are looked at again every few seconds, and sent only if they say
//! something new.

use crate::domain::tickets::state::State;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use terarchitect_worker_api::TicketId;

/// The states that were told last.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashMap<TicketId, State>>);

impl Told {
    /// Notes what is told now; whether it is news.
    pub fn note(&self, ticket: TicketId, state: &State) -> bool {
        let mut told = self.lock();
        if told.get(&ticket) == Some(state) {
            return false;
        }
        told.insert(ticket, state.clone());
        true
    }

    /// Keeps only these tickets in mind.
    pub fn retain(&self, keep: impl Fn(TicketId) -> bool) {
        self.lock().retain(|ticket, _| keep(*ticket));
    }

    /// A page read this beside the stream. If the stream said something else last, the stream says it again when it is looked
    /// at next: else a state that held only between two looks would stay on that page for ever.
    pub fn read_beside<'a>(&self, states: impl IntoIterator<Item = (TicketId, &'a State)>) {
        let mut told = self.lock();
        if told.is_empty() {
            return;
        }
        for (ticket, state) in states {
            if told.get(&ticket).is_some_and(|before| before != state) {
                told.remove(&ticket);
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TicketId, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tickets::state::StateWord;
    use chrono::DateTime;
    use uuid::Uuid;

    fn state(sentence: &str) -> State {
        State {
            word: StateWord::Waiting,
            turn: None,
            since: DateTime::UNIX_EPOCH,
            sentence: sentence.to_owned(),
            why: None,
        }
    }

    #[test]
    fn only_what_differs_is_news() {
        let (told, ticket) = (Told::default(), TicketId(Uuid::from_u128(1)));
        assert!(told.note(ticket, &state("busy")));
        assert!(!told.note(ticket, &state("busy")));
        assert!(told.note(ticket, &state("next")));
        told.retain(|kept| kept != ticket);
        assert!(told.note(ticket, &state("next")));
    }

    #[test]
    fn what_a_page_read_meanwhile_is_set_right() {
        let (told, ticket) = (Told::default(), TicketId(Uuid::from_u128(1)));
        told.note(ticket, &state("busy"));
        told.read_beside([(ticket, &state("busy"))]);
        assert!(!told.note(ticket, &state("busy")), "the page has it already");
        // A slot was free for a moment, in which a page read the card.
        told.read_beside([(ticket, &state("next"))]);
        assert!(told.note(ticket, &state("busy")), "that page would go on showing that a slot is free");
    }
}
