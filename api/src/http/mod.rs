//! What every route shares: errors, extractors that reject with sentences, and request ids.

pub mod error;
pub mod extract;
pub mod json_text;
pub mod layers;
