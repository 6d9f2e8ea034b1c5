//! The API against a real Postgres, over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod backup;
mod backup_refusals;
mod board;
mod clients;
mod contract;
mod credentials;
mod crowds;
mod databases;
mod deliveries;
mod device_logins;
mod embedded;
mod endpoints;
mod event_order;
mod events;
mod fleet;
mod forge_calls;
mod forges;
mod inbox;
mod input;
mod jobs;
mod leases;
mod live_board;
mod live_cards;
mod memory;
mod migration;
mod model;
mod oidc;
mod page;
mod people;
mod plans;
mod program;
mod projects;
mod pull_requests;
mod reviews;
mod roles;
mod settings;
mod steering;
mod streams;
mod support;
mod surroundings;
mod timeline;
mod trials;
mod waiting;
mod webhooks;
