//! Charts as text: numbers with bars of characters, which are readable in every theme, on paper and in an editor.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Utc};

use crate::history::BurnDown;
use crate::policy::{Verdict, day_or_instant};

/// Columns of the longest bar of a chart.
const COLUMNS: u64 = 40;
/// Columns of the longest bar in a cell.
const CELL: u64 = 16;

/// A bar in a cell, such as `████`, for a part of a whole.
pub(super) fn bar(part: u64, whole: u64) -> String {
    blocks(part, whole, CELL)
}

/// At least half a block for what is not zero.
fn blocks(part: u64, whole: u64, columns: u64) -> String {
    let halves = (part * columns * 2).checked_div(whole).unwrap_or_default().max(part.min(1));
    "█".repeat(usize::try_from(halves / 2).unwrap_or_default()) + if halves % 2 == 1 { "▌" } else { "" }
}

/// The bar of a key in the chart of last uses.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Year {
    Before2010,
    In(i32),
    Future,
    Never,
    Unknown,
}

impl Year {
    /// Bounded, because the dates come from the service.
    pub(super) fn new(last_use: Option<DateTime<Utc>>, verdict: Verdict, now: DateTime<Utc>) -> Self {
        match last_use {
            None if verdict == Verdict::NeverUsed => Self::Never,
            None => Self::Unknown,
            Some(time) if time.year() < 2010 => Self::Before2010,
            Some(time) if time.year() > now.year() => Self::Future,
            Some(time) => Self::In(time.year()),
        }
    }

    pub(super) fn label(&self) -> String {
        match self {
            Self::Before2010 => "before 2010".to_owned(),
            Self::In(year) => year.to_string(),
            Self::Future => "future".to_owned(),
            Self::Never => "never".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// A line for each year of last use, with the cutoff at its year.
pub(super) fn last_uses(years: &BTreeMap<Year, u64>, cutoff: Option<DateTime<Utc>>) -> String {
    let largest = years.values().copied().max().unwrap_or_default();
    let mut chart = String::new();
    for (year, count) in years {
        let mark = cutoff.filter(|cutoff| *year == Year::In(cutoff.year()));
        let mark = mark.map_or_else(String::new, |cutoff| format!("  (cutoff {})", day_or_instant(cutoff)));
        // Writing to a string can't fail.
        let _ = writeln!(chart, "{:<11} {count:>7} {}{mark}", year.label(), blocks(*count, largest, COLUMNS));
    }
    chart
}

/// A line for each day of the burn-down.
pub(super) fn burn_down(burn_down: &BurnDown) -> String {
    let largest = burn_down.keys.iter().copied().max().unwrap_or_default();
    let mut chart = format!("{:<10} {:>7} {:>10}\n", "day", "keys", "used after");
    let counts = burn_down.keys.iter().zip(&burn_down.used_after_cutoff);
    for (day, (keys, used)) in burn_down.days.iter().zip(counts) {
        let _ = writeln!(chart, "{day:<10} {keys:>7} {used:>10} {}", blocks(*keys, largest, COLUMNS));
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part_and_never_empty_for_a_key() {
        for (part, whole, expected) in
            [(0, 0, ""), (0, 9, ""), (1, 1_000, "▌"), (1, 32, "▌"), (3, 32, "█▌"), (8, 16, "████████")]
        {
            assert_eq!(bar(part, whole), expected, "{part} of {whole}");
        }
    }
}
