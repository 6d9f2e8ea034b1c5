//! Terarchitect's API: the only program that knows the database.
//!
//! `routes` extract, authorise, call and answer; `domain` decides without IO; `db` holds the only SQL, one file per
//! table. `http` is what every route shares: errors, extractors, keys, request ids. The binary is in `main.rs`.

pub mod app;
pub mod config;
pub mod db;
pub mod domain;
pub mod embedded_postgres;
pub mod http;
pub mod job_tokens;
pub mod metrics;
pub mod presence;
pub mod queue;
pub mod routes;
pub mod sealing;
pub mod server;
pub mod shared_settings;
pub mod state;
