//! Stand-ins for what tests and the demonstration cannot reach: a scripted chat model and a local git forge. They
//! speak the real protocols over real sockets and misbehave on request. Also a private Postgres for tests.

pub mod chat;
pub mod demo;
pub mod forge;
mod listen;
pub mod postgres;
