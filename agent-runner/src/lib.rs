//! One ticket, inside a container or from a shell: clones, drives the coding agent, pushes, opens the pull request and
//! reports back. The program is in `main.rs`.

pub mod agent_user;
pub mod cancel;
pub mod cli;
pub mod config;
pub mod director;
pub mod exit;
pub mod forge;
pub mod git;
pub mod progress;
pub mod prompts;
pub mod report;
pub mod run;
pub mod stdin_secrets;
pub mod worker;
