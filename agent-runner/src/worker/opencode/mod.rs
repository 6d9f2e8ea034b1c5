//! OpenCode as a [`Worker`](super::Worker): its server is started (or found), and driven over HTTP.

mod options;

pub use options::{OpenCodeOptions, Provider, RunAs, ServerAddress};
