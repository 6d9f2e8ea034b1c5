//! People: who joins, who signs in and how, what they may do, and the tokens they make.

pub mod device_login;
pub mod invitations;
pub mod links;
pub mod manage;
pub mod own;
pub mod provider;
pub mod sessions;
pub mod sign_in;
pub mod tokens;

pub use sessions::{Client, Started};
