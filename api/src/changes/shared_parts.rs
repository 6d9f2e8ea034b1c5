//! What readers with the same filter, and so with the same rights, get of one batch: made once, and shared by them.

use crate::db::live::events::Filter;
use bytes::Bytes;
use std::sync::{Mutex, PoisonError};

/// For how many filters the part is kept. More are rare, and each keeps a copy for as long as its batch.
const KEPT: usize = 16;

/// The parts of one batch.
#[derive(Debug, Default)]
pub(super) struct SharedParts(Mutex<Vec<(Filter, Bytes)>>);

impl SharedParts {
    /// The part for this filter; `make` makes it where no other reader has needed it yet.
    pub(super) fn get(&self, filter: &Filter, make: impl FnOnce() -> Bytes) -> Bytes {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, part)) = parts.iter().find(|(known, _)| known == filter) {
            return part.clone();
        }
        let part = make();
        if parts.len() < KEPT {
            parts.push((filter.clone(), part.clone()));
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terarchitect_worker_api::TicketId;
    use uuid::Uuid;

    #[test]
    fn a_part_is_made_once_for_equal_filters_and_again_for_others() {
        let parts = SharedParts::default();
        let made = std::cell::Cell::new(0);
        let part = |filter: &Filter, text: &'static str| {
            parts.get(filter, || {
                made.set(made.get() + 1);
                Bytes::from_static(text.as_bytes())
            })
        };
        let only = |id: u128| Filter { visible: Some(vec![Uuid::from_u128(id)]), ..Filter::default() };
        assert_eq!(part(&only(1), "one"), "one");
        assert_eq!(part(&only(1), "not made"), "one");
        assert_eq!(part(&only(2), "two"), "two");
        assert_eq!(part(&Filter::default(), "all"), "all");
        assert_eq!(made.get(), 3);
    }

    #[test]
    fn many_filters_are_served_and_not_all_are_kept() {
        let parts = SharedParts::default();
        for id in 0..100 {
            let filter = Filter { ticket: Some(TicketId(Uuid::from_u128(id))), ..Filter::default() };
            assert_eq!(parts.get(&filter, || id.to_string().into()), id.to_string());
        }
        assert_eq!(parts.0.lock().unwrap().len(), KEPT);
    }
}
