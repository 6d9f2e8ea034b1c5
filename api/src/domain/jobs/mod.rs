//! Jobs: the terms on which they are enqueued, and what the end of an attempt means.

pub mod attempt;
pub mod outcome;
pub mod terms;
pub mod words;
