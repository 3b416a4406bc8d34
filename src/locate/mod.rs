//! Finds where the keys of a run are: in files, archives and git histories. `scan` finds keys in bytes, `git` reads object
//! databases, `tree` walks folders. Nothing here writes a key: a [`Hit`](scan::Hit) has its last 12 digits alone.
//!
//! The scanner: `members` decides by the bytes of a file or member how they are searched (`archive`, `windows`), `text`
//! searches them as text with the encodings of `decode`, `shape` knows what a key looks like, `suffixes` which keys are
//! sought, `signs` what makes an unknown key interesting, `mask` how a line is shown.

mod archive;
mod decode;
pub mod git;
mod mask;
mod members;
pub mod scan;
mod shape;
mod signs;
mod suffixes;
mod text;
mod windows;
