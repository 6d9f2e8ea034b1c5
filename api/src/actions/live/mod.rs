//! What people watch: the board, one ticket, the inbox, the fleet; and what they do there.

pub mod board;
pub mod cards;
pub mod fleet;
pub mod inbox;
pub mod page;
