//! What the readers of files that people write have in common: places as line numbers, and everything that is wrong with a
//! file reported together.

mod delimited;
mod lines;
mod problems;
mod tables;

pub(crate) use delimited::{Lines, TableRows, delimiter};
pub(crate) use lines::LineIndex;
pub(crate) use problems::Problems;
pub(crate) use tables::{Field, fields_of, parse_toml};
