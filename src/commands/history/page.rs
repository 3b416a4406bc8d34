//! The history for people: a table, the numbers in one line each, and a forecast a deployment. For a terminal, and as Markdown,
//! in which text from outside is in code spans.

use std::fmt::Write as _;

use super::DeploymentRuns;
use crate::console::{Page, Text, WIDTH, style};
use crate::history::{BurnDown, RunSummary, forecast, sparkline};
use crate::model::rfc3339;
use crate::plan::{Progress, ReplacementState};
use crate::report::text::{code, printable};
use crate::store::Run;

/// The columns but the last, and whether they hold numbers. The last says whether the run is complete.
const COLUMNS: [(&str, bool); 9] = [
    ("Run", true),
    ("Started", false),
    ("Users", true),
    ("Not read", true),
    ("Keys", true),
    ("Change", true),
    ("Enabled", true),
    ("Used after cutoff", true),
    ("Use unknown", true),
];
const LAST_COLUMN: &str = "Complete";

fn cells(summary: &RunSummary) -> [String; COLUMNS.len()] {
    let stats = &summary.stats;
    let change = summary.change.map_or_else(String::new, |change| match change {
        1.. => format!("+{change}"),
        ..=0 => change.to_string(),
    });
    [
        summary.run.id.to_string(),
        rfc3339(summary.run.started_at),
        stats.users.to_string(),
        stats.unread.to_string(),
        stats.keys.to_string(),
        change,
        stats.enabled.to_string(),
        stats.used_after_cutoff.to_string(),
        stats.usage_unknown.to_string(),
    ]
}

/// One block a deployment.
pub(super) fn text(deployments: &[DeploymentRuns]) -> String {
    deployments.iter().map(text_block).collect::<Vec<_>>().join("\n")
}

/// The heading of each column in two lines, since eight columns of numbers have to fit a page.
const HEADINGS: [[&str; COLUMNS.len()]; 2] = [
    ["", "", "", "not", "", "", "", "after", "use"],
    ["run", "started", "users", "read", "keys", "change", "enabled", "cutoff", "unknown"],
];

fn text_block(deployment: &DeploymentRuns) -> String {
    let mut page = Page::default();
    page.text(printable(&deployment.name));
    let runs: Vec<_> = deployment.runs.iter().map(text_cells).collect();
    let rows: Vec<_> = HEADINGS.map(|row| row.map(str::to_owned)).into_iter().chain(runs).collect();
    let widths: [usize; COLUMNS.len()] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or_default());
    let gap = if 2 + widths.iter().map(|width| width + 2).sum::<usize>() > WIDTH + 2 { " " } else { "  " };
    let summaries = [None; HEADINGS.len()].into_iter().chain(deployment.runs.iter().map(Some));
    for (row, summary) in rows.iter().zip(summaries) {
        let padded = row.iter().zip(widths).zip(COLUMNS).map(|((cell, width), (_, is_number))| {
            if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        page.text(format!("  {}", padded.collect::<Vec<_>>().join(gap)).trim_end());
        if let Some(missing) = summary.and_then(RunSummary::missing) {
            let label = Text::from("       ").styled(style::WARNING, "incomplete:").plain(" ");
            page.columns(label, 19, missing);
        }
    }
    page.gap();
    replacements(&mut page, deployment);
    page.line("keys left", sparkline(&deployment.keys()));
    page.line("not read", sparkline(&deployment.unread()));
    page.line("forecast", forecast(&deployment.runs).to_string());
    page.lines("note", deployment.notes());
    page.into_text()
}

/// A table of its own, since the first one fills the width.
fn replacements(page: &mut Page, deployment: &DeploymentRuns) {
    let mut rows = deployment.replacements().peekable();
    if rows.peek().is_none() {
        return;
    }
    page.text("  replacements");
    let states = ReplacementState::ALL.iter();
    let heads: Vec<_> = states.clone().map(|state| format!("  {:>8}", state.as_str())).collect();
    page.text(format!("  {:>3}{}", "run", heads.concat()));
    for (run, progress) in rows {
        let counts: Vec<_> = states.clone().map(|state| format!("  {:>8}", progress.count(*state))).collect();
        page.text(format!("  {:>3}{}", run.id, counts.concat()));
    }
    page.gap();
}

/// With times to the minute.
fn text_cells(summary: &RunSummary) -> [String; COLUMNS.len()] {
    let mut cells = cells(summary);
    cells[1] = summary.run.started_at.format("%Y-%m-%d %H:%M").to_string();
    cells
}

/// One section a deployment.
pub(super) fn markdown(deployments: &[DeploymentRuns]) -> String {
    deployments.iter().map(markdown_section).collect::<Vec<_>>().join("\n")
}

fn markdown_section(deployment: &DeploymentRuns) -> String {
    let row = |cells: [String; COLUMNS.len()], last: &str| format!("| {} | {last} |\n", cells.join(" | "));
    let mut page = format!("## History of {}\n\n", code(&deployment.name));
    page.push_str(&row(COLUMNS.map(|(name, _)| name.to_owned()), LAST_COLUMN));
    let rules = COLUMNS.map(|(_, is_number)| if is_number { "--:|" } else { "---|" });
    // Writing to a string can't fail.
    let _ = writeln!(page, "|{}---|", rules.concat());
    for summary in &deployment.runs {
        let complete =
            summary.missing().map_or_else(|| "yes".to_owned(), |missing| format!("**no**: {missing}"));
        page.push_str(&row(cells(summary), &complete));
    }
    page.push_str(&replacement_table(deployment));
    let burn_down = BurnDown::new(&deployment.runs);
    if burn_down.days.len() > 1 {
        let _ = write!(page, "\n{}", chart(&burn_down));
    }
    let _ = write!(
        page,
        "\n- keys left: {}\n- users not read: {}\n- forecast: {}\n",
        code(&sparkline(&deployment.keys())),
        code(&sparkline(&deployment.unread())),
        forecast(&deployment.runs),
    );
    for note in deployment.notes() {
        let _ = writeln!(page, "- {}", code(&note));
    }
    page
}

/// Empty where no run has a replacement.
fn replacement_table(deployment: &DeploymentRuns) -> String {
    let states = ReplacementState::ALL.iter();
    let row = |(run, progress): (&Run, &Progress)| {
        let counts: Vec<_> = states.clone().map(|state| progress.count(*state).to_string()).collect();
        format!("| {} | {} |\n", run.id, counts.join(" | "))
    };
    let rows: String = deployment.replacements().map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    let heads: Vec<_> = states.clone().map(|state| state.as_str()).collect();
    let rules = "--:|".repeat(ReplacementState::ALL.len());
    format!("\n### Replacements\n\n| Run | {} |\n|--:|{rules}\n{rows}", heads.join(" | "))
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
