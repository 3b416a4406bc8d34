//! `plan/*.tf` for Atlas: a file an owner, and `terraform.tf` with what they share. What they look like is in
//! `templates/plan/`.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::PlanHead;
use super::inventory::Inventory;
use super::owner::{OwnerPlan, Replacement};
use super::scripts::{ReplacementContext, Scripts};
use super::template::{TERRAFORM, TERRAFORM_OWNER, Templates};

impl Scripts {
    /// Writes the file of Terraform that all owners share, where scripts are written.
    pub(super) fn begin_terraform(&self, head: &PlanHead, templates: &Templates) -> io::Result<()> {
        let Some(base_url) = &head.base_url else { return Ok(()) };
        let root = base_url.split("/api/").next().unwrap_or_default();
        let context = SharedContext { deployment: head.deployment, base_url: format!("{root}/") };
        self.write_file("terraform.tf", &templates.render(TERRAFORM, &context).map_err(io::Error::other)?)
    }

    /// Writes the file of Terraform of an owner who has a script of this path. Without a replacement, an earlier file stays:
    /// Terraform would delete what it made.
    pub(super) fn add_terraform(
        &self,
        plan: &OwnerPlan,
        inventory: &Inventory,
        templates: &Templates,
        script: &str,
    ) -> io::Result<()> {
        if plan.replacements.is_empty() {
            return Ok(());
        }
        let replacements = plan.replacements.iter().filter(|it| it.org_id.is_some());
        let context = OwnerFile {
            owner_id: plan.user.id_or_empty(),
            owner: plan.user.label(),
            replacements: replacements.map(|it| Resource::new(plan, it, inventory)).collect(),
        };
        let text = templates.render(TERRAFORM_OWNER, &context).map_err(io::Error::other)?;
        let stem = Path::new(script).file_stem().unwrap_or_default().to_string_lossy();
        self.write_file(&format!("{stem}.tf"), &text)
    }
}

/// What the template of the shared file may use.
#[derive(Serialize)]
struct SharedContext<'a> {
    deployment: &'a str,
    base_url: String,
}

/// What the template of an owner's file may use.
#[derive(Serialize)]
struct OwnerFile<'a> {
    owner_id: &'a str,
    owner: &'a str,
    replacements: Vec<Resource<'a>>,
}

/// A replacement with the name of its resources, which no other replacement has.
#[derive(Serialize)]
struct Resource<'a> {
    name: String,
    /// Whether Terraform makes it only if `include_ask` is set. One that was made already stays.
    is_optional: bool,
    existing: &'a str,
    #[serde(flatten)]
    replacement: ReplacementContext<'a>,
}

impl<'a> Resource<'a> {
    fn new(plan: &'a OwnerPlan, replacement: &'a Replacement, inventory: &'a Inventory) -> Self {
        let org = replacement.org_id.as_deref().unwrap_or_default();
        let key = replacement.tag.rsplit([':', '-']).next().filter(|id| *id != plan.user.id_or_empty());
        let key = key.map_or_else(String::new, |id| format!("_{id}"));
        Self {
            name: format!("owner_{}_{org}{key}", plan.user.id_or_empty()),
            is_optional: replacement.needs_decision && replacement.existing.is_none(),
            existing: replacement.existing.as_deref().unwrap_or_default(),
            replacement: ReplacementContext::new(plan, replacement, inventory),
        }
    }
}
