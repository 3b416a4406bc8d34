//! `plan/*.tf` for Atlas: a file an owner, and `terraform.tf` with what they share. What they look like is in
//! `templates/plan/`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::PlanHead;
use super::inventory::Inventory;
use super::owner::{OwnerPlan, Replacement};
use super::scripts::{ReplacementContext, Scripts};
use super::template::{TERRAFORM, TERRAFORM_OWNER, Templates};
use super::tool::Kind;

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
        let stem = Path::new(script).file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}.tf");
        let earlier = self.earlier_file(&name)?;
        let replacements = plan.replacements.iter().filter(|it| it.org_id.is_some());
        let replacements: Vec<_> = replacements.map(|it| Resource::new(plan, it, inventory)).collect();
        let context = OwnerFile {
            owner_id: plan.user.id_or_empty(),
            owner: plan.user.label(),
            forgotten: forgotten(&earlier, &replacements),
            replacements,
        };
        self.write_file(&name, &templates.render(TERRAFORM_OWNER, &context).map_err(io::Error::other)?)
    }
}

/// The resources of an earlier file whose replacement is no longer planned, and those that it forgot already: Terraform would
/// delete what was in its files and no longer is.
fn forgotten(earlier: &str, planned: &[Resource]) -> BTreeSet<String> {
    let declared = earlier.lines().filter_map(|line| {
        let mut words = line.strip_prefix("resource \"")?.split('"');
        Some((words.next()?, words.nth(1)?))
    });
    let before = earlier.lines().filter_map(|line| line.strip_prefix("  from = ")?.split_once('.'));
    let is_planned = |(kind, name): &(&str, &str)| planned.iter().any(|one| one.has(kind, name));
    declared.chain(before).filter(|it| !is_planned(it)).map(|(kind, name)| format!("{kind}.{name}")).collect()
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
    /// Resources that Terraform shall keep and no longer look after, such as `mongodbatlas_api_key.owner_…`.
    forgotten: BTreeSet<String>,
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
    /// Whether a resource belongs to this replacement: itself, its roles in a project, or an entry of its access list.
    fn has(&self, kind: &str, name: &str) -> bool {
        let is_of_account = kind.starts_with("mongodbatlas_service_account");
        let rest = name.strip_prefix(&*self.name);
        let is_own = rest.is_some_and(|rest| {
            rest.is_empty() || kind.ends_with("_project_assignment") && rest.len() == 1 + 24
        });
        is_own && is_of_account == (self.replacement.kind() == Kind::ServiceAccount)
    }

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
