//! Claims jobs over HTTP and runs one agent container each, up to a limit.
//!
//! Everything about a job can be rebuilt from three places: the API's lease, the container with its labels, and the
//! outbox. So a coordinator may end at any moment, and the next one on the same state directory continues. It kills
//! only containers whose job is cancelled, past its deadline, or no longer held here. The program is in `main.rs`.

pub mod attempt;
pub mod claims;
pub mod cli;
pub mod config;
pub mod deadline;
pub mod disk;
pub mod docker_host;
pub mod doctor;
pub mod engine;
pub mod heartbeat;
pub mod host;
pub mod images;
pub mod job;
pub mod metrics;
pub mod proxies;
pub mod readiness;
pub mod service;
pub mod state_dir;
pub mod variables;
pub mod warm;
