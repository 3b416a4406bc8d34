//! From the runs in a run database to reports: each run is read in order, every key is classified, and all formats are written
//! in one pass. Files have temporary names until all of them are complete and the totals agree.
//!
//! # How to add a format
//!
//! 1. A file of `formats/`, such as `formats/ndjson.rs`: a type that implements `Writer`, and a function `start` that makes it.
//! 2. `formats/mod.rs`: `mod ndjson;`, a variant of [`Format`], the name of its file and a line that starts it. The compiler
//!    asks for the last two; `--format`, its help, the manifest and the checks before a run follow from the variant.
//! 3. `FORMATS` in `tests/it/golden.rs`, which pins its bytes, and a section in `docs/reports.md`.
//!
//! A writer gets every row once and keeps nothing that grows with the rows: `top_n` keeps the worst, a `SpillFile` keeps text on
//! disk that comes later in the file, a `JsonArray` is written item by item. `record` has the fields of the public contract: a
//! new column is a field at its end. `wording` has the texts, `location` the line of a file for a finding. Other facts of a
//! deployment are read from the store of the [`RunContext`] in `begin`.

mod error;
mod file;
mod formats;
mod jobs;
mod judge;
mod location;
mod organizations;
pub(crate) mod places;
mod record;
mod spill;
mod summary;
pub mod terminal;
mod top_n;
mod wording;
mod worst;
mod write;

use std::ops::Deref;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
pub use error::Error;
pub use file::{MANIFEST, write_atomic};
pub use formats::{Format, Output};
pub use judge::{JudgedList, WaiverIssue, WaiverIssueKind};
pub use organizations::OrganizationSummary;
pub(crate) use spill::SpillFile;
pub use summary::Summary;
pub use wording::waiver_issue;
pub use write::{ResultReader, Written, prepare, write};

use self::error::FormatError;
use self::organizations::{OrganizationColumns, worst_first};
use self::worst::WorstFinding;
use self::write::{Rendered, Writer};
use crate::history::BurnDown;
use crate::model::{PersonalKey, UserResult};
pub use crate::output::{CsvStyle, Naming, ReportFile, text};
use crate::output::{JsonArray, OutputFile};
use crate::plan::{
    AddressFile, Decided, Inventory, OwnerContext, OwnerPlan, OwnerRights, Per, Planner, Progress, Tools,
    UnreadLists,
};
use crate::policy::{FailOn, Judgement, Policy};
use crate::ratchet::{ComparedRun, Ratchet, Regression};
use crate::store::{Run, Store, StoredSearch};
use crate::waivers::{Waiver, WaiverStatus, Waivers};

/// One run of one deployment, the input of a report.
pub struct ReportInput<'a> {
    /// The run database.
    pub store: &'a Store,
    /// The run.
    pub run: &'a Run,
    /// The policy of the report, which may differ from that of the run.
    pub policy: Policy,
    /// An earlier run: only keys that are new or more severe are findings.
    pub ratchet: Option<&'a Ratchet>,
}

/// Which keys are findings, for all deployments.
#[derive(Clone, Copy)]
pub struct GatePolicy<'a> {
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// Temporary exceptions.
    pub waivers: &'a Waivers,
}

/// The context of all rows of one deployment: what formats that work at the same time may share.
pub struct RowContext<'a> {
    /// The run.
    pub run: &'a Run,
    /// The policy of the report.
    pub policy: Policy,
    /// Incomplete lists.
    pub incomplete_lists: Vec<JudgedList<'a>>,
    /// What the migration plan needs besides users and keys.
    inventory: Inventory,
    gate: GatePolicy<'a>,
    /// Whether the report has other deployments, too.
    is_one_of_several: bool,
    /// Where `locate` found the keys; `None` where it never ran.
    pub search: Option<StoredSearch>,
}

/// The same with the databases, for what is done before and after the rows.
pub struct RunContext<'a> {
    rows: RowContext<'a>,
    /// The run database.
    pub store: &'a Store,
    /// The earlier run for comparison.
    pub ratchet: Option<&'a Ratchet>,
}

impl<'a> Deref for RunContext<'a> {
    type Target = RowContext<'a>;

    fn deref(&self) -> &RowContext<'a> {
        &self.rows
    }
}

impl RowContext<'_> {
    /// Whether a waiver covers a key, as in the plan.
    fn is_waived(&self, key: &PersonalKey) -> bool {
        let waiver = self.gate.waivers.of_key(&key.id, &self.run.deployment);
        waiver.is_some_and(|waiver| waiver.status(self.run.started_at) != WaiverStatus::Expired)
    }

    /// Whether the run finished and has no incomplete list. Unread users are rows and do not matter here.
    #[must_use]
    pub fn has_complete_lists(&self) -> bool {
        self.run.finished_at.is_some() && self.incomplete_lists.is_empty()
    }
}

/// One row: a key, or a user without one.
pub struct Row<'a> {
    /// The result of the user.
    pub result: &'a UserResult,
    /// The organizations of the user.
    organizations: &'a OrganizationColumns,
    /// The plan of the user's keys.
    plan: &'a LazyPlan,
    /// What the plan decides about the key.
    decided: OnceLock<Decided>,
    /// The key; `None` for a user without keys, or who could not be read completely.
    pub key: Option<(&'a PersonalKey, &'a Judgement)>,
    /// The waiver of the key or of the unread user, and its status.
    pub waiver: Option<(&'a Waiver, WaiverStatus)>,
    /// How the key is worse than in the earlier run, if there is one.
    pub regression: Option<Regression>,
    /// Whether this key is a finding.
    pub is_finding: bool,
}

/// The plan of a user's keys. Each part is made when the first format asks for it: most need the decisions alone.
#[derive(Default)]
struct LazyPlan {
    rights: OnceLock<OwnerRights>,
    whole: OnceLock<Option<OwnerPlan>>,
}

impl Row<'_> {
    /// What `keysunset plan` without flags plans for the user; `None` for a user without a key.
    pub(crate) fn plan(&self, context: &RowContext) -> Option<&OwnerPlan> {
        let plan = self.plan.whole.get_or_init(|| {
            let planner = Planner {
                inventory: &context.inventory,
                policy: context.policy,
                per: Per::Owner,
                addresses: &AddressFile::default(),
                service_accounts: Tools::prefer_service_accounts(context.run.product),
                schedule: None,
            };
            let owner = OwnerContext { before: None, is_waived: &|key| context.is_waived(key) };
            planner.plan(self.result.clone(), &owner)
        });
        plan.as_ref()
    }

    /// What the plan decides about the key.
    pub(crate) fn decided(&self, context: &RowContext) -> Option<&Decided> {
        let (key, judged) = self.key.as_ref()?;
        let decided = self.decided.get_or_init(|| {
            let rights = || OwnerRights::new(self.result, &context.inventory);
            let rights = self.plan.rights.get_or_init(rights);
            rights.decide(key, judged, context.is_waived(key))
        });
        Some(decided)
    }

    /// Whether it is the row of a user who could not be read completely.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.key.is_none() && !self.result.outcome.status.is_complete()
    }

    /// Whether it has an active waiver.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

/// A deployment and its totals.
pub struct Deployment<'a> {
    /// The context of its rows.
    pub context: RowContext<'a>,
    /// The earlier run for comparison.
    pub compared: Option<&'a ComparedRun>,
    /// The totals of its rows.
    pub summary: Summary,
    /// Sorted by id; `None` (unknown) if the run was imported or made by an earlier version.
    pub organizations: Option<Vec<OrganizationSummary>>,
    /// How far the replacements are; `None` (unknown) if the run did not read programmatic keys.
    progress: Option<Progress>,
    /// Lists for the migration plan that were not read.
    unread_lists: Option<UnreadLists>,
    /// The runs up to this one, if a format shows them.
    burn_down: Option<BurnDown>,
}

impl Deployment<'_> {
    /// Whether the run ended and no user can be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.context.has_complete_lists() && self.summary.is_complete()
    }

    /// Whether the run ended, and no user without a waiver can be missing.
    #[must_use]
    pub fn is_complete_or_waived(&self) -> bool {
        self.context.run.finished_at.is_some() && self.summary.is_complete_or_waived()
    }
}

/// A report over all deployments.
pub struct Report<'a> {
    /// Sorted by name, each name once; usually one.
    pub deployments: Vec<Deployment<'a>>,
    /// The totals of all deployments.
    pub total: Summary,
    /// Waivers with a problem.
    pub waiver_issues: Vec<WaiverIssue<'a>>,
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// The worst findings, worst first.
    worst: Vec<WorstFinding>,
    /// The hash of `keys.csv`, if it is written before the format that shows it.
    keys_csv: Option<String>,
}

impl Report<'_> {
    /// The start of the last run, by which waivers are in effect.
    fn now(&self) -> DateTime<Utc> {
        self.deployments.iter().map(|it| it.context.run.started_at).max().unwrap_or_default()
    }

    /// Whether no user can be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_complete_lists() && self.total.is_complete()
    }

    /// Whether keys are left that the ratchet accepts, so that "nothing to do" would be wrong.
    #[must_use]
    pub fn has_kept_keys(&self) -> bool {
        self.is_complete()
            && self.deployments.iter().any(|Deployment { compared, summary, .. }| {
                compared.is_some() && summary.keys > summary.waived
            })
    }

    /// Whether the run finished and has no incomplete list. Unread users are rows and do not matter here.
    #[must_use]
    pub fn has_complete_lists(&self) -> bool {
        self.deployments.iter().all(|deployment| deployment.context.has_complete_lists())
    }

    /// Whether every run ended, and no user without a waiver can be missing.
    #[must_use]
    pub fn is_complete_or_waived(&self) -> bool {
        self.deployments.iter().all(Deployment::is_complete_or_waived)
    }
}
