//! The program `terarchitect`.
fn main() {}
