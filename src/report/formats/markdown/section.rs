//! The section of an owner as `templates/owner.md.j2` has it, which a folder of templates may replace. The template engine
//! would take more than half of the time of a page for the built-in one; tests compare both.

use std::fmt::{self, Write as _};

use super::plan::ROLES;
use super::wrap::wrap;
use crate::model::{PersonalKey, Rfc3339, Suffix};
use crate::output::text::{breakable_code, code_in_prose, shortened};
use crate::plan::{Decided, Decision, Grant, Inventory, Kind, OwnerPlan, Replacement};
use crate::policy::{Judgement, Severity, Verdict};
use crate::report::{Row, RowContext};
use crate::waivers::{Waiver, WaiverStatus};

/// Maximum characters of a name of the service in a sentence.
const NAME: usize = 60;
/// Organizations whose names are shown.
const ORGANIZATIONS: usize = 5;

/// The owner of a section.
pub(super) struct OwnerNames<'a> {
    pub(super) id: &'a str,
    /// If there are several.
    pub(super) deployment: Option<&'a str>,
    /// The names of the organizations, or their ids.
    pub(super) organizations: &'a [String],
}

/// A key of the owner, with what the plan decides.
struct KeyRow<'a> {
    key: &'a PersonalKey,
    judged: &'a Judgement,
    decided: &'a Decided,
    waiver: Option<(&'a Waiver, WaiverStatus)>,
}

/// The section of an owner with these keys.
pub(super) fn section(names: &OwnerNames, rows: &[&Row], context: &RowContext) -> String {
    let mut text = String::with_capacity(1000);
    // Writing to a string can't fail.
    let _ = write_section(&mut text, names, rows, context);
    text
}

fn write_section(to: &mut String, names: &OwnerNames, rows: &[&Row], context: &RowContext) -> fmt::Result {
    let plan = rows.first().and_then(|row| row.plan(context));
    let unknown = plan.and_then(|plan| plan.unknown.as_deref()).filter(|why| !why.is_empty());
    let keys = rows.iter().filter_map(|row| {
        let (key, judged) = row.key.as_ref()?;
        Some(KeyRow { key, judged, decided: row.decided(context)?, waiver: row.waiver })
    });
    let keys: Vec<_> = keys.collect();
    if !names.id.is_empty() {
        to.push_str(&wrap(&first_sentence(names)));
    }
    to.push_str(
        "\n| Severity | Plan | Last used | Uses | Description | Ends in |\n|---|---|---|--:|---|---|\n",
    );
    keys.iter().try_for_each(|key| key.write_row(to))?;
    to.push('\n');
    if let Some(why) = unknown {
        let why = code_in_prose(&shortened(why, 200));
        writeln!(to, "- The plan cannot decide about these keys: {why}")?;
    }
    keys.iter().try_for_each(|key| key.write_notes(to, unknown.is_some()))?;
    let replacements = plan.into_iter().flat_map(|OwnerPlan { replacements, .. }| replacements);
    replacements.into_iter().try_for_each(|it| write_replacement(to, it, &context.inventory))
}

fn first_sentence(names: &OwnerNames) -> String {
    let OwnerNames { id, deployment, organizations } = names;
    let mut sentence = format!("User id {}", code_in_prose(id));
    if let Some(deployment) = deployment {
        sentence += ", deployment ";
        sentence += &code_in_prose(&shortened(deployment, 100));
    }
    let shown = organizations.iter().take(ORGANIZATIONS).map(|name| code_in_prose(&shortened(name, NAME)));
    match organizations.len() {
        0 => {}
        1 => sentence += ", organization ",
        _ => sentence += ", organizations ",
    }
    sentence += &shown.collect::<Vec<_>>().join(", ");
    if organizations.len() > ORGANIZATIONS {
        sentence += &[" and ", &(organizations.len() - ORGANIZATIONS).to_string(), " more"].concat();
    }
    sentence + "."
}

impl KeyRow<'_> {
    fn write_row(&self, to: &mut String) -> fmt::Result {
        let Self { key, judged, decided, .. } = self;
        let mark = match judged.severity {
            Severity::Critical | Severity::High => "**",
            Severity::Medium | Severity::Low | Severity::Info => "",
        };
        write!(to, "| {mark}{}{mark} | `{}` | ", judged.severity, decided.decision)?;
        match (key.last_use(), key.used_count) {
            (Some(time), _) => to.extend(Rfc3339::new(time).as_str().chars().take(10)),
            (None, Some(0)) => to.push_str("never"),
            (None, Some(_) | None) => to.push_str("unknown"),
        }
        match key.used_count {
            Some(count) => write!(to, " | {count} | ")?,
            None => to.push_str(" | unknown | "),
        }
        let ends_in = key.suffix.as_ref().map(|suffix| breakable_code(suffix.as_str()));
        let description = breakable_code(&shortened(&key.description, 100));
        writeln!(to, "{description} | {} |", ends_in.as_deref().unwrap_or("unknown"))
    }

    /// What the columns do not say.
    fn write_notes(&self, to: &mut String, is_plan_unknown: bool) -> fmt::Result {
        let Self { key, judged, decided, waiver } = self;
        let is_explained =
            judged.verdict == Verdict::UsageUnknown || judged.reason.contains("counts as missing");
        let is_asked =
            decided.decision == Decision::Ask && !is_plan_unknown && decided.reason != judged.reason;
        let notes = [
            key.suffix.is_none().then(|| format!("key {}", code_in_prose(&key.id))),
            is_explained.then(|| judged.reason.clone()),
            is_asked.then(|| code_in_prose(&shortened(&decided.reason, 200))),
            key.auditing.then(|| "**used by this audit**".to_owned()),
            waiver.map(|(waiver, status)| waived(waiver, status)),
        ];
        let notes: Vec<_> = notes.into_iter().flatten().filter(|note| !note.is_empty()).collect();
        if notes.is_empty() {
            return Ok(());
        }
        let suffix = key.suffix.as_ref().map(Suffix::as_str).map(code_in_prose);
        writeln!(to, "- {}: {}", suffix.as_deref().unwrap_or("Unknown digits"), notes.join("; "))
    }
}

fn waived(Waiver { reason, owner, expires, ticket, .. }: &Waiver, status: WaiverStatus) -> String {
    let text = |text: &str, length| code_in_prose(&shortened(text, length));
    let until = match status {
        WaiverStatus::Expired => format!("waiver **expired** on {expires}"),
        WaiverStatus::Active | WaiverStatus::Ending => format!("**waived until {expires}**"),
    };
    let ticket = ticket.as_deref().filter(|ticket| !ticket.is_empty());
    let ticket = ticket.map_or_else(String::new, |ticket| format!(" ({})", text(ticket, 100)));
    format!("{until} by {}: {}{ticket}", text(owner, 100), text(reason, 200))
}

fn write_replacement(to: &mut String, replacement: &Replacement, inventory: &Inventory) -> fmt::Result {
    let Replacement { org_id, grants, existing, needs_decision, .. } = replacement;
    let existing = existing.as_deref().filter(|id| !id.is_empty());
    match existing {
        Some(id) => write!(to, "- Replacement {}", code_in_prose(id))?,
        None if *needs_decision => to.push_str("- Replacement, if a person decides so,"),
        None => to.push_str("- Replacement"),
    }
    if replacement.kind == Kind::ServiceAccount {
        to.push_str(" (service account)");
    }
    to.push_str(" in ");
    match org_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => {
            let name = inventory.organization(id).and_then(|it| it.name.as_deref());
            let name = name.filter(|name| !name.is_empty()).map(|name| shortened(name, NAME));
            to.push_str(&code_in_prose(name.as_deref().unwrap_or(id)));
        }
        None => to.push_str("the whole deployment"),
    }
    for (at, grant) in grants.iter().take(ROLES).enumerate() {
        to.push_str(if at == 0 { ": " } else { ", " });
        write_role(to, grant, inventory)?;
    }
    if grants.len() > ROLES {
        write!(to, ", {} more in `plan.csv`", grants.len() - ROLES)?;
    }
    to.push_str(if existing.is_some() { "; it is created already\n" } else { "\n" });
    Ok(())
}

fn write_role(to: &mut String, grant: &Grant, inventory: &Inventory) -> fmt::Result {
    let Grant { project_id, role, team, narrower } = grant;
    write!(to, "`{role}`")?;
    if let Some(id) = project_id.as_deref().filter(|id| !id.is_empty()) {
        let name = inventory.project_name(id).filter(|name| !name.is_empty()).unwrap_or(id);
        write!(to, " in {}", code_in_prose(&shortened(name, NAME)))?;
    }
    if let Some(team) = team.as_deref().filter(|team| !team.is_empty()) {
        write!(to, " (from team {})", code_in_prose(&shortened(team, NAME)))?;
    }
    if narrower.is_some() {
        to.push_str(" (review)");
    }
    Ok(())
}
