//! What the readers of files that people write have in common: places as line numbers, and everything that is wrong with a
//! file reported together.

mod delimited;
mod problems;
mod toml;

pub(crate) use delimited::{Lines, TableRows, delimiter};
pub(crate) use problems::Problems;
pub(crate) use toml::{Field, LineIndex, fields_of, parse_toml};
