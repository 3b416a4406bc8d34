//! The history as a page: a section a deployment. What anybody else wrote stands in code spans.

use std::fmt::Write as _;

use super::{Deployment, signed};
use crate::history::{BurnDown, forecast, sparkline};
use crate::model::rfc3339;
use crate::report::text::code;

/// One section a deployment.
pub(super) fn page(deployments: &[Deployment]) -> String {
    deployments.iter().map(section).collect::<Vec<_>>().join("\n")
}

fn section(deployment: &Deployment) -> String {
    let mut page = format!(
        "## History of {}\n\n\
         | Run | Started | Users | Not read | Keys | Change | Enabled | Used after cutoff | Use unknown | Complete |\n\
         |--:|---|--:|--:|--:|--:|--:|--:|--:|---|\n",
        code(deployment.name())
    );
    for summary in &deployment.0 {
        let (run, stats) = (&summary.run, &summary.stats);
        let complete =
            summary.missing().map_or_else(|| "yes".to_owned(), |missing| format!("**no**: {missing}"));
        // Writing to a string can't fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {complete} |",
            run.id,
            rfc3339(run.started_at),
            stats.users,
            stats.unread,
            stats.keys,
            signed(summary.change),
            stats.enabled,
            stats.used_after_cutoff,
            stats.usage_unknown,
        );
    }
    let burn_down = BurnDown::new(&deployment.0);
    if burn_down.days.len() > 1 {
        let _ = write!(page, "\n{}", chart(&burn_down));
    }
    let _ = write!(
        page,
        "\n- keys left: {}\n- users not read: {}\n- forecast: {}\n",
        code(&sparkline(&deployment.keys())),
        code(&sparkline(&deployment.unread())),
        forecast(&deployment.0),
    );
    for note in deployment.notes() {
        let _ = writeln!(page, "- {}", code(&note));
    }
    page
}

/// Keys left and those of them used after the cutoff, run by run.
fn chart(burn_down: &BurnDown) -> String {
    let days: Vec<_> = burn_down.days.iter().map(|day| format!("\"{day}\"")).collect();
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "```mermaid\nxychart-beta\n    title \"Keys left, and those of them used after the cutoff\"\n    \
         x-axis [{}]\n    y-axis \"Keys\" 0 --> {}\n    bar [{}]\n    line [{}]\n```\n",
        days.join(", "),
        burn_down.keys.iter().max().copied().unwrap_or_default().max(1),
        list(&burn_down.keys),
        list(&burn_down.used_after_cutoff),
    )
}
