//! `letters/NN-owner.md`, a letter an owner: nothing of anybody else, and no secret. What it looks like is in
//! `templates/plan/letter.md.j2`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::inventory::Inventory;
use super::owner::{OwnerPlan, PlannedKey, Replacement};
use super::rows::{role, wide};
use super::template::{LETTER, Templates};
use super::{Decision, PlanHead};
use crate::model::{Product, Suffix};
use crate::network::Network;
use crate::output::temp_file_in;

/// Below `--out`.
const FOLDER: &str = "letters";

/// Where they go.
pub(super) struct Letters(PathBuf);

impl Letters {
    /// Makes the folder.
    pub(super) fn begin(out: &Path) -> io::Result<Self> {
        let folder = out.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
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
        let stem = Path::new(script).file_stem().unwrap_or_default();
        let mut file = temp_file_in(&self.0)?;
        file.write_all(text.as_bytes())?;
        file.persist(self.0.join(stem).with_extension("md")).map(drop).map_err(|failed| failed.error)
    }
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
    keys: Vec<KeyContext<'a>>,
    replacements: Vec<ReplacementContext>,
    /// Those of all replacements.
    addresses: &'a [Network],
    has_wide_address: bool,
}

#[derive(Serialize)]
struct KeyContext<'a> {
    id: &'a str,
    suffix: &'a str,
    description: &'a str,
    next: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
struct ReplacementContext {
    name: String,
    roles: String,
}

impl<'a> LetterContext<'a> {
    fn new(plan: &'a OwnerPlan, head: &'a PlanHead, inventory: &Inventory) -> Self {
        Self {
            deployment: head.deployment,
            base_url: head.address,
            product: head.product.title(),
            is_ops_manager: head.product == Product::OpsManager,
            started_at: &head.started_at,
            owner: plan.user.label(),
            verify_days: head.verify_days,
            has_enabled_key: plan.keys.iter().any(|planned| planned.key.is_enabled()),
            keys: plan.keys.iter().map(KeyContext::new).collect(),
            replacements: plan.replacements.iter().map(|it| ReplacementContext::new(it, inventory)).collect(),
            addresses: plan.replacements.first().map_or(&[], |it| &it.addresses),
            has_wide_address: plan.replacements.iter().any(|it| wide(it).next().is_some()),
        }
    }
}

impl<'a> KeyContext<'a> {
    fn new(planned: &'a PlannedKey) -> Self {
        Self {
            id: &planned.key.id,
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
        Self { name, roles }
    }
}
