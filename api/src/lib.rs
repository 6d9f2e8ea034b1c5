//! Terarchitect's API: the only program that knows the database.
//!
//! The floors, from the top; each uses those below it and none above: `routes` (HTTP in and out), `background` (tasks
//! that run by themselves), `access` (who calls), `http` (errors, extractors), `state` (what all share), `queue`
//! (claims and completions in batches) and `forges` (calls to forges), `actions` (what can be done, one transaction each), `changes` (the event log
//! and its readers), `db` (the only SQL), `domain` (decisions without IO). `backup`, above them, saves and
//! restores the database. The binary is in `main.rs`.

pub mod access;
pub mod actions;
pub mod admin;
pub mod app;
pub mod background;
pub mod backup;
pub mod changes;
pub mod check_db;
pub mod config;
pub mod database_address;
pub mod db;
mod document_errors;
pub mod domain;
pub mod embedded_postgres;
pub mod embeddings;
pub mod forges;
pub mod http;
pub mod job_tokens;
pub mod metrics;
pub mod oidc;
pub mod origins;
pub mod passwords;
pub mod probing;
pub mod queue;
pub mod random_token;
pub mod routes;
pub mod sealing;
pub mod server;
pub mod serving;
pub mod state;
pub mod webhooks;
