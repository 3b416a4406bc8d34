//! Tables in Markdown, as docs/benchmarks.md has them.

use std::ops::{Bound, RangeBounds};

/// Prints the tables that the command line names, or all.
pub(crate) fn print(tables: &[(&str, fn())]) {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for name in &named {
        assert!(tables.iter().any(|(table, _)| table == name), "there is no table {name}");
    }
    for (name, table) in tables {
        if named.is_empty() || named.iter().any(|it| it == name) {
            table();
        }
    }
}

/// The heading of a table; columns after the first are aligned to the right.
pub(crate) fn heading(columns: &[&str]) {
    println!("\n| {} |", columns.join(" | "));
    println!("|--|{}", "--:|".repeat(columns.len() - 1));
}

pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// The heading for [`aim`].
pub(crate) fn aims() {
    heading(&["aim", "before", "measured", "wanted", ""]);
}

/// A row below [`aims`]. `before` is the figure of the time when the aim was set; `None` is a figure of a peer that is not
/// installed.
pub(crate) fn aim(
    what: &str,
    before: &str,
    measured: Option<f64>,
    unit: &str,
    wanted: impl RangeBounds<f64>,
) {
    let bound = match (wanted.start_bound(), wanted.end_bound()) {
        (Bound::Included(least), _) => format!("≥ {least}{unit}"),
        (_, Bound::Included(most)) => format!("≤ {most:.2}{unit}"),
        _ => String::new(),
    };
    let result = match measured {
        None => "not measured",
        Some(_) if bound.is_empty() => "",
        Some(measured) if wanted.contains(&measured) => "met",
        Some(_) => "missed",
    };
    let digits = |it: f64| if it < 1.0 { 3 } else { 2 };
    let measured = measured.map_or_else(String::new, |it| format!("{it:.*}{unit}", digits(it)));
    row(&[what.into(), before.into(), measured, bound, result.into()]);
}
