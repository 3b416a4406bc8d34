//! Finds where the keys of a run are: in files, archives and git histories. `scan` finds keys in bytes, `git` reads object
//! databases, `tree` walks folders. Nothing here writes a key: a [`Hit`](scan::Hit) has its last 12 digits alone.
//!
//! The scanner: `members` decides by the bytes of a file or member how they are searched (`archive`, `windows`), `text`
//! searches them as text with the encodings of `decode` where `blocks` finds long words, `shape` knows what a key looks like, `suffixes` which keys are
//! sought, `signs` what makes an unknown key interesting, `mask` how a line is shown, `pointer` what only names a
//! content that is elsewhere.
//!
//! The walk: `roots` are the paths that were named, `repositories` what belongs to which repository, `exclude` what is left
//! out, `names` how paths are written, `files` the search of one file, `collected` what all threads found.

mod archive;
mod blocks;
mod collected;
mod decode;
mod exclude;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod git;
mod mask;
mod members;
mod names;
mod pointer;
mod repositories;
mod roots;
pub mod scan;
mod shape;
mod signs;
mod suffixes;
mod text;
mod tree;
mod windows;

pub(crate) use exclude::Exclude;
pub(crate) use files::Progress;
pub(crate) use roots::{Root, STDIN, distinct};
pub(crate) use tree::{Searched, TreeOptions, search};
