//! What makes a run provable afterwards: its canonical form, the manifest that names every hash, and the check of both.
//! `docs/evidence.md` says to people what a hash proves and what not.

pub mod export;
pub mod manifest;
pub mod pack;
pub mod verify;

pub use manifest::Manifest;
