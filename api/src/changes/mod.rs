//! The event log as the process uses it: changes that record what they do, and readers that follow along.
//!
//! It decides nothing: the actions and the queue's statements record what happened.

mod batch;
mod cards;
mod change;
mod hub;
mod news;
mod reader;
mod shared_parts;
mod single_kind;
mod told;
mod touched;

pub use cards::{CardText, Cards};
pub use change::{Change, Database};
pub use hub::{Hub, NOTIFY_CHANNEL};
pub use reader::{Concern, Follow, ReadError, Reader, page};
pub use single_kind::Following;
pub use told::Told;
pub use touched::{FellBehind, Touched, TouchedTickets};
