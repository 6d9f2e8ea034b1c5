//! The event log as the process uses it: changes that record what they do, and readers that follow along.
//!
//! It decides nothing: the actions and the queue's statements record what happened.

mod batch;
mod cards;
mod change;
mod hub;
mod reader;

pub use cards::{CardText, Cards, TouchedTickets};
pub use change::{Change, Database};
pub use hub::{Hub, NOTIFY_CHANNEL};
pub use reader::{Concern, Follow, ReadError, Reader, page};
