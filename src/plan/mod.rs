//! From a stored run to a migration plan: what to do about each personal key, and which programmatic keys replace those in
//! use. No request, no clock; what is not known is asked of a person, never assumed.

pub(crate) mod addresses;
mod decision;
mod files;
mod folder;
mod forecast;
mod inventory;
mod journals;
mod json;
mod letters;
mod mail;
mod owner;
mod page;
mod progress;
mod rights;
mod roles;
mod rows;
mod scripts;
mod summary;
mod template;
mod terraform;
mod tool;
mod unread;
mod wave;

pub(crate) use addresses::AddressFile;
pub(crate) use decision::{Decided, Decision};
pub(crate) use files::{FILES, PlanFiles, PlanHead};
pub(crate) use forecast::Upgrade;
pub(crate) use inventory::Inventory;
pub(crate) use journals::ForeignJournal;
pub(crate) use letters::LetterFormat;
pub(crate) use owner::{OwnerContext, OwnerPlan, OwnerRights, Planner, Replacement, Schedule};
pub(crate) use progress::{Moves, Progress, ProgressCounter, ProgressDiff, ReplacementState, SILENT_DAYS};
pub(crate) use rights::Grant;
pub(crate) use rows::{Columns, ReplacementTexts};
pub(crate) use summary::Summary;
pub(crate) use tool::{Kind, Tool, Tools};
pub(crate) use unread::UnreadLists;

named! {
    /// What one programmatic key replaces.
    pub(crate) enum Per {
        /// All keys of an owner in an organization
        Owner = "owner",
        /// One key
        Key = "key",
    }
}

named! {
    /// Where the addresses of a replacement come from.
    pub(crate) enum AddressSource {
        /// The file of `--addresses`
        File = "file",
        /// The owner's own list, which the audit read with the owner's credential
        Owner = "owner",
    }
}

/// Why something of the deployment is not known.
pub(crate) struct Unknown(String);

impl From<String> for Unknown {
    fn from(why: String) -> Self {
        Self(why)
    }
}
