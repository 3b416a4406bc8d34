//! keysunset.

pub mod sandbox;
