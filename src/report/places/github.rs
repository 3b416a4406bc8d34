//! Annotations of GitHub Actions: an error for each live finding, at its line, and one for what was not searched.

use super::{LocateReport, not_searched, path_or_git, sentence, unsearched_label};
use crate::report::formats::github::{SHOWN, command};
use crate::report::location::SourceLocation;

/// GitHub shows ten annotations of a kind in a step; the tenth counts the rest.
pub(super) fn annotations(report: &LocateReport) -> String {
    let mut text = String::new();
    let findings = report.key_rows().filter(|row| row.place.state.is_live() && row.is_finding);
    let findings = findings.map(|row| {
        let path = SourceLocation::new(&path_or_git(&row.place.path), row.place.line.unwrap_or(1));
        let at = vec![("file", path.path()), ("line", path.line.to_string())];
        ("personal API key".to_owned(), at, sentence(row))
    });
    let unsearched = report.unsearched.iter().filter(|row| !row.is_waived()).map(|row| {
        let message = format!("{}: {}", unsearched_label(row.unsearched), not_searched(row.unsearched.why));
        ("not searched".to_owned(), Vec::new(), message)
    });
    let unknown = report.unknown_keys.iter().map(|why| ("keys unknown".to_owned(), Vec::new(), why.clone()));
    for (kind, all) in
        [("error", findings.collect::<Vec<_>>()), ("warning", unknown.chain(unsearched).collect())]
    {
        let more = all.len().saturating_sub(SHOWN);
        for (title, at, message) in all.into_iter().take(SHOWN) {
            command(kind, &[&[("title", title)][..], &at].concat(), &message, &mut text);
        }
        if more > 0 {
            let message = format!("{more} more; locations.csv lists all of them");
            command(kind, &[("title", format!("and {more} more"))], &message, &mut text);
        }
    }
    text
}
