//! The history for a terminal: a table, two pictures and a forecast a deployment.

use std::fmt::Write as _;

use super::{Deployment, signed};
use crate::history::{RunSummary, forecast, sparkline};
use crate::model::rfc3339;
use crate::report::text::printable;

/// The columns, and whether they hold numbers.
const COLUMNS: [(&str, bool); 9] = [
    ("run", true),
    ("started", false),
    ("users", true),
    ("not read", true),
    ("keys", true),
    ("change", true),
    ("enabled", true),
    ("used after cutoff", true),
    ("use unknown", true),
];

/// One block a deployment.
pub(super) fn page(deployments: &[Deployment]) -> String {
    deployments.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(deployment: &Deployment) -> String {
    let mut page = format!("{}\n", printable(deployment.name()));
    let rows: Vec<_> = deployment.0.iter().map(cells).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|at| rows.iter().map(|row| row[at].len()).chain([COLUMNS[at].0.len()]).max().unwrap_or_default())
        .collect();
    let mut line = |cells: &[String], last: &str| {
        let padded = cells.iter().zip(&widths).zip(COLUMNS).map(|((cell, width), (_, is_number))| {
            if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        let line = format!("  {}  {last}", padded.collect::<Vec<_>>().join("  "));
        page.push_str(line.trim_end());
        page.push('\n');
    };
    line(&COLUMNS.map(|(name, _)| name.to_owned()), "complete");
    for (summary, row) in deployment.0.iter().zip(&rows) {
        line(row, &summary.missing().map_or_else(|| "yes".to_owned(), |missing| format!("no: {missing}")));
    }
    page.push('\n');
    let mut line = |label: &str, value: &str| {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {label:<12}{value}");
    };
    line("keys left", &sparkline(&deployment.keys()));
    line("not read", &sparkline(&deployment.unread()));
    line("forecast", &forecast(&deployment.0).to_string());
    for (at, note) in deployment.notes().iter().enumerate() {
        line(if at == 0 { "note" } else { "" }, note);
    }
    page
}

fn cells(summary: &RunSummary) -> [String; COLUMNS.len()] {
    let stats = &summary.stats;
    [
        summary.run.id.to_string(),
        rfc3339(summary.run.started_at),
        stats.users.to_string(),
        stats.unread.to_string(),
        stats.keys.to_string(),
        signed(summary.change),
        stats.enabled.to_string(),
        stats.used_after_cutoff.to_string(),
        stats.usage_unknown.to_string(),
    ]
}
