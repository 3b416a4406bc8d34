//! `letters/NN-owner.md` or `.eml`, a letter an owner: nothing of another person, and no secret. What it looks like is in
//! `templates/plan/letter.md.j2`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::folder::PlanFolder;
use super::inventory::Inventory;
use super::mail::Message;
use super::owner::{OwnerPlan, PlannedKey, Replacement};
use super::rows::{role, wide};
use super::template::{LETTER, Templates};
use super::tool::Kind;
use super::{Decision, PlanHead};
use crate::model::{Product, Suffix};
use crate::network::Network;

/// Below `--out`.
const FOLDER: &str = "letters";

named! {
    /// The format of the letters.
    pub(crate) enum LetterFormat {
        /// Markdown
        Markdown = "md",
        /// A mail message (EML), ready to send
        Mail = "eml",
    }
}

/// Where they go.
pub(super) struct Letters {
    folder: PlanFolder,
    format: LetterFormat,
    /// Of a mail message: when the run began.
    date: DateTime<Utc>,
    /// Letters of an earlier plan.
    earlier: HashSet<PathBuf>,
}

impl Letters {
    /// Begins the folder.
    pub(super) fn begin(out: &Path, format: LetterFormat, date: DateTime<Utc>) -> io::Result<Self> {
        let folder = PlanFolder::begin(out, FOLDER)?;
        let mut earlier = HashSet::new();
        for name in folder.names()? {
            let extension = name.extension().and_then(OsStr::to_str);
            if LetterFormat::ALL.iter().any(|it| extension == Some(it.as_str())) {
                earlier.insert(name);
            }
        }
        Ok(Self { folder, format, date, earlier })
    }

    /// Writes the letter of an owner who has a script of this path.
    pub(super) fn add(
        &self,
        plan: &OwnerPlan,
        head: &PlanHead,
        inventory: &Inventory,
        templates: &Templates,
        script: &str,
    ) -> io::Result<()> {
        let text =
            templates.render(LETTER, &LetterContext::new(plan, head, inventory)).map_err(io::Error::other)?;
        let text = match self.format {
            LetterFormat::Markdown => text,
            LetterFormat::Mail => {
                let subject = format!("Your personal API keys on {}", head.deployment);
                Message::new(plan.user.label(), &subject, self.date, &text).to_string()
            }
        };
        self.folder.write(&letter(script, self.format), &text)?;
        // In another format, it is out of date.
        self.remove(script, |format| format != self.format)
    }

    /// Removes the letters of an owner whose script was withdrawn.
    pub(super) fn withdraw(&self, script: &str) -> io::Result<()> {
        self.remove(script, |_| true)
    }

    fn remove(&self, script: &str, is_meant: impl Fn(LetterFormat) -> bool) -> io::Result<()> {
        let formats = LetterFormat::ALL.iter().copied().filter(|format| is_meant(*format));
        let names = formats.map(|format| letter(script, format));
        names.filter(|name| self.earlier.contains(name)).try_for_each(|name| self.folder.remove(&name))
    }

    /// Gives a new folder its name.
    pub(super) fn end(self) -> io::Result<()> {
        self.folder.end()
    }
}

/// The name of the letter that belongs to a script.
fn letter(script: &str, format: LetterFormat) -> PathBuf {
    let name = Path::new(script).file_stem().map(PathBuf::from).unwrap_or_default();
    name.with_extension(format.as_str())
}

/// What the template may use.
#[derive(Serialize)]
struct LetterContext<'a> {
    deployment: &'a str,
    base_url: &'a str,
    /// As its vendor writes it.
    product: &'static str,
    is_ops_manager: bool,
    started_at: &'a str,
    owner: &'a str,
    verify_days: u32,
    has_enabled_key: bool,
    upgrade_on: Option<NaiveDate>,
    /// `None` where it is too late, or without a day of the upgrade.
    change_by: Option<NaiveDate>,
    keys: Vec<KeyContext<'a>>,
    replacements: Vec<ReplacementContext>,
    /// Those of all replacements.
    addresses: &'a [Network],
    has_wide_address: bool,
    /// Live places of these keys, and how many there are.
    places: Vec<PlaceContext<'a>>,
    place_count: usize,
}

#[derive(Serialize)]
struct KeyContext<'a> {
    id: &'a str,
    suffix: &'a str,
    description: &'a str,
    next: &'static str,
    reason: &'a str,
    /// With the day of an upgrade, whether it comes before the key can be verified.
    is_too_late: bool,
}

/// Lines to change that a letter shows.
const PLACES: usize = 50;

#[derive(Serialize)]
struct PlaceContext<'a> {
    suffix: &'a str,
    repository: &'a str,
    place: String,
    encoding: &'a str,
}

impl<'a> PlaceContext<'a> {
    fn of(planned: &'a PlannedKey) -> impl Iterator<Item = Self> {
        let suffix = planned.key.suffix.as_ref().map_or("", Suffix::as_str);
        planned.live_places().map(move |place| Self {
            suffix,
            repository: &place.repository,
            place: place.label(),
            encoding: &place.encoding,
        })
    }
}

#[derive(Serialize)]
struct ReplacementContext {
    kind: Kind,
    name: String,
    roles: String,
}

impl<'a> LetterContext<'a> {
    fn new(plan: &'a OwnerPlan, head: &'a PlanHead, inventory: &Inventory) -> Self {
        Self {
            deployment: head.deployment,
            base_url: head.base_url.as_deref().unwrap_or_default(),
            product: head.product.title(),
            is_ops_manager: head.product == Product::OpsManager,
            started_at: &head.started_at,
            owner: plan.user.label(),
            verify_days: head.verify_days,
            has_enabled_key: plan.keys.iter().any(|planned| planned.key.is_enabled()),
            upgrade_on: head.upgrade_on,
            change_by: plan.forecast.as_ref().and_then(|it| it.change_by),
            keys: plan.keys.iter().map(|planned| KeyContext::new(planned, head.upgrade_on)).collect(),
            replacements: plan.replacements.iter().map(|it| ReplacementContext::new(it, inventory)).collect(),
            addresses: plan.replacements.first().map_or(&[], |it| &it.addresses),
            has_wide_address: plan.replacements.iter().any(|it| wide(it).next().is_some()),
            places: plan.keys.iter().flat_map(PlaceContext::of).take(PLACES).collect(),
            place_count: plan.keys.iter().map(|planned| planned.live_places().count()).sum(),
        }
    }
}

impl<'a> KeyContext<'a> {
    fn new(planned: &'a PlannedKey, upgrade_on: Option<NaiveDate>) -> Self {
        Self {
            id: &planned.key.id,
            is_too_late: upgrade_on.is_some_and(|day| planned.verifiable_from.is_some_and(|from| from > day)),
            suffix: planned.key.suffix.as_ref().map_or("", Suffix::as_str),
            description: &planned.key.description,
            next: next(planned.decided.decision),
            reason: &planned.decided.reason,
        }
    }
}

fn next(decision: Decision) -> &'static str {
    match decision {
        Decision::Replace | Decision::SelfKey => "use the new key, then this one is disabled",
        Decision::Retire => "disabled soon; answer if you need it",
        Decision::DeleteOnly => "delete it",
        Decision::Ask => "answer: who uses it, and for what?",
        Decision::Waived => "nothing for now: a waiver accepts it",
    }
}

impl ReplacementContext {
    fn new(replacement: &Replacement, inventory: &Inventory) -> Self {
        let name = replacement.org_id.as_deref().map_or_else(
            || "the whole deployment".to_owned(),
            |id| inventory.organization(id).and_then(|it| it.name.clone()).unwrap_or_else(|| id.to_owned()),
        );
        let roles = replacement.grants.iter().map(role).collect::<Vec<_>>().join(", ");
        Self { kind: replacement.kind, name, roles }
    }
}
