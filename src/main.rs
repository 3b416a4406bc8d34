//! keysunset.
fn main() {}
