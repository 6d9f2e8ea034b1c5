//! One attempt at one ticket, or at what reviewers say about it, inside a container or from a shell: clones, drives the coding agent, pushes, opens the
//! pull request and reports back. The program is in `main.rs`.
//!
//! `attempt` knows all the others. `director` decides the agent's prompts, over the interface of `agent`; neither knows
//! the API or the forge.

pub mod agent;
pub mod attempt;
pub mod cancel;
pub mod cli;
pub mod config;
pub mod director;
pub mod gateway;
pub mod git;
pub mod instructions;
pub mod open_files;
pub mod points;
pub mod printed;
pub mod probe;
pub mod progress;
pub mod prompts;
pub mod proof;
pub mod report;
pub mod review;
pub mod stdin_secrets;
pub mod stuck;
pub mod wire;
