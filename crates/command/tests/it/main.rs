//! The command as people and scripts use it: its process, against a real API, and against a stand-in for what an API
//! answers rarely.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod api;
mod browser;
mod errors;
mod help;
mod login;
mod newer;
mod orders;
mod program;
mod secrets;
mod shell;
mod stand_in;
mod terminal;
mod tickets;
mod up;
mod watch;
