//! What every route shares: error answers, extractors that reject with sentences, keys, and request ids.

pub mod auth;
pub mod error;
pub mod extract;
pub mod layers;
