//! What holds for any waiver file.

use chrono::NaiveDate;

use super::{quoted, waivers};
use crate::input::Problems;
use crate::waivers::{Target, Waiver, entry_to_paste};

const LAST: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 15).expect("a day");

/// A waiver file.
pub(crate) fn waiver_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = quoted(text);
    let (all, problems) = read(text);
    let lines = text.matches('\n').count() as u64 + 1;
    for line in problems {
        let number = line.strip_prefix("F:").and_then(|line| line.split(':').next()?.parse::<u64>().ok());
        assert!(number.is_none_or(|number| (1..=lines).contains(&number)), "{line:?} of {lines}");
    }
    for waiver in all {
        assert!(waiver.expires <= LAST && !waiver.reason.is_empty() && !waiver.owner.is_empty());
        assert!((1..=lines).contains(&waiver.line));
        if let (Target::Key(_) | Target::User(_) | Target::Organization(_), None) =
            (&waiver.target, &waiver.path)
        {
            let entry = entry_to_paste(&waiver.target, waiver.expires, &waiver.reason);
            let (again, problems) = read(&entry.replace(" = \"\" ", " = \"x\" "));
            assert!(again.len() == 1 && again[0].target == waiver.target, "{entry} {problems:?}");
        }
    }
}

fn read(text: &str) -> (Vec<Waiver>, Vec<String>) {
    let mut problems = Problems::new("F");
    let all = waivers(text, LAST, &mut problems);
    (all, problems.into_error("", "").details)
}
