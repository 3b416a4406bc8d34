//! Finds where the keys of a run are: in files, archives and git histories. `scan` finds keys in bytes, `git` reads object
//! databases, `tree` walks folders. Nothing here writes a key: a [`Hit`] has its last 12 digits alone.

pub mod git;
pub mod scan;
