//! Annotations of GitHub Actions: an error for each live finding, at its line, and one for what was not searched.

use super::{LocateReport, not_searched, path_or_git, sentence, unsearched_label};
use crate::report::formats::github::{SHOWN, command};
use crate::report::location::SourceLocation;
use crate::store;

/// Annotations of one kind. GitHub shows ten of them in a step; the tenth counts the rest.
#[derive(Default)]
struct Annotations {
    text: String,
    count: usize,
}

impl Annotations {
    fn push(&mut self, kind: &str, title: &str, at: &[(&str, String)], message: &str) {
        self.count += 1;
        if self.count <= SHOWN {
            command(kind, &[&[("title", title.to_owned())][..], at].concat(), message, &mut self.text);
        }
    }

    fn into_text(mut self, kind: &str) -> String {
        if let Some(more @ 1..) = self.count.checked_sub(SHOWN) {
            let message = format!("{more} more; locations.csv lists all of them");
            command(kind, &[("title", format!("and {more} more"))], &message, &mut self.text);
        }
        self.text
    }
}

pub(super) fn annotations(report: &LocateReport) -> Result<String, store::Error> {
    let (mut errors, mut warnings) = (Annotations::default(), Annotations::default());
    report.rows.each_key(|row| {
        if row.place.state.is_live() && row.is_finding {
            let place = SourceLocation::new(&path_or_git(&row.place.path), row.place.line.unwrap_or(1));
            let at = [("file", place.path().clone()), ("line", place.line.to_string())];
            errors.push("error", "personal API key", &at, &sentence(row));
        }
        Ok::<_, store::Error>(())
    })?;
    for why in &report.scope.unknown_keys {
        warnings.push("warning", "keys unknown", &[], why);
    }
    report.rows.each_unsearched(|row| {
        if !row.is_waived() {
            let why = not_searched(row.unsearched.why);
            let message = format!("{}: {why}", unsearched_label(row.unsearched));
            warnings.push("warning", "not searched", &[], &message);
        }
        Ok::<_, store::Error>(())
    })?;
    Ok(errors.into_text("error") + &warnings.into_text("warning"))
}
