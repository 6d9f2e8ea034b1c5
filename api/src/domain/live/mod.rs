//! What the event log knows: the kinds of events, and positions in the log.

pub mod event;
pub mod position;
