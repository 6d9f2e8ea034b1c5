//! Events as the hub passes them to readers: read once, rendered once, shared.

use super::shared_parts::SharedParts;
use crate::db::live::events::{Event, Filter};
use crate::domain::live::position::Position;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tokio::sync::broadcast;

/// What the hub publishes.
pub(super) type Live = broadcast::Receiver<Arc<Batch>>;

/// Events that became visible together, with their text on the wire.
#[derive(Debug)]
pub(super) struct Batch {
    /// The events in order, each with its text as a Server-Sent Event.
    pub events: Vec<(Event, Bytes)>,
    /// The text of all of them.
    pub text: Bytes,
    /// The position after the last of them.
    pub end: Position,
    parts: SharedParts,
}

impl Batch {
    /// Renders the events that were read from `from` on, up to `end`.
    #[must_use]
    pub(super) fn new(events: Vec<Event>, from: &Position, end: Position) -> Self {
        let last = events.len().saturating_sub(1);
        let mut text = BytesMut::new();
        let mut ends = Vec::with_capacity(events.len());
        for (place, event) in events.iter().enumerate() {
            if place == last {
                render(&mut text, event, &end);
            } else {
                render(&mut text, event, &from.within(end.newest(), event.seq));
            }
            ends.push(text.len());
        }
        let text = text.freeze();
        let mut begin = 0;
        let own = |end| {
            let own = text.slice(begin..end);
            begin = end;
            own
        };
        let texts: Vec<Bytes> = ends.into_iter().map(own).collect();
        Self { events: events.into_iter().zip(texts).collect(), text, end, parts: SharedParts::default() }
    }

    /// What a reader with this filter wants: without a copy, unless it is the first of its kind.
    pub(super) fn wanted(&self, filter: &Filter) -> Bytes {
        if filter.is_empty() {
            return self.text.clone();
        }
        self.parts.get(filter, || {
            let wanted: Vec<_> =
                self.events.iter().filter(|(event, _)| filter.wants(event)).map(|(_, text)| &text[..]).collect();
            if wanted.len() == self.events.len() { self.text.clone() } else { wanted.concat().into() }
        })
    }
}

fn render(text: &mut BytesMut, event: &Event, position: &Position) {
    // An event is made of numbers, words and JSON that was stored: it can always be written.
    let data = serde_json::to_string(event).unwrap_or_default();
    text.put_slice(format!("id: {position}\ndata: {data}\n\n").as_bytes());
}
