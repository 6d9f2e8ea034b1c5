//! Stand-ins for what tests and the demonstration cannot reach: a scripted chat model, a local git forge, a scripted
//! worker API, Cursor's cloud. They speak the real protocols over real sockets and misbehave on request. Also a private Postgres.

// Forges' shapes have many fields, and `json!` takes a step for each part of one.
#![recursion_limit = "512"]

pub mod api;
pub mod chat;
pub mod cursor;
pub mod demo;
pub mod forge;
pub mod house;
mod listen;
pub mod postgres;
pub mod proxy;
pub mod small_disk;
pub mod tls;
