//! A client of Cursor's Cloud Agents, which work on a repository without a machine of ours: v0, which has webhooks, and v1,
//! where an agent has runs. What both say is read leniently, and becomes the same types and the same few errors.
//!
//! A launch happens once: an agent whose launch was done and whose response was lost is looked for before a repeat.
//!
//! It keeps nothing, and knows nothing of jobs or git.

mod client;
mod error;
mod http;
mod launch;
mod types;
mod v0;
mod v1;
mod webhook;

pub use client::{Cursor, Version};
pub use error::CursorError;
pub use http::Patience;
pub use launch::{Launch, Launched, Notify};
pub use types::{Account, Agent, Message, Speaker, Status};
pub use webhook::{MIN_SECRET_CHARS, Notice, Unreadable, derive_secret, is_genuine, is_secret};
