//! Workflow commands: a line of standard output that GitHub shows beside the run, and at the line of a file.
//!
//! `::error title=…,file=…,line=…::message`. The runner takes `%25`, `%0D`, `%0A`, and in properties `%3A` and `%2C` too, for
//! the characters that would end a part early; so no text from outside is ever a command of its own.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};

use super::worst::Worst;
use crate::model::User;
use crate::policy::Severity;
use crate::report::place::SourceLocation;
use crate::report::text::{printable, shortened};

/// What GitHub shows of a kind in a step is ten; the tenth sums up.
const SHOWN: usize = 9;
/// Characters of a name or an id.
const NAME: usize = 100;

/// The kinds, as GitHub names them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// What fails the gate and matters most, and what is not known.
    Error,
    /// What fails the gate, and what is about to.
    Warning,
    /// What is there, and fails nothing.
    Notice,
}

/// What an annotation is about, worst first: what is missing hides all the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// Users of whom not even the name is known.
    Nobody,
    /// A user who could not be read.
    User,
    /// A waiver.
    Waiver,
    /// A key.
    Key(Severity),
}

/// One of them. The order of the fields is that of badness, and in the end that of the names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Annotation {
    pub(super) about: About,
    pub(super) last_used: Reverse<Option<DateTime<Utc>>>,
    pub(super) deployment: String,
    pub(super) username: String,
    pub(super) user_id: String,
    /// In the order of the rows where all the rest is the same.
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) title: String,
    pub(super) message: String,
    pub(super) place: Option<SourceLocation>,
}

/// All of one kind.
pub(super) struct Annotations {
    worst: Worst<Annotation>,
    passed: BTreeMap<About, u64>,
}

impl Annotations {
    pub(super) fn new() -> Self {
        Self { worst: Worst::new(SHOWN), passed: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, one: Annotation) {
        *self.passed.entry(one.about).or_default() += 1;
        self.worst.push(one);
    }

    /// The lines of the kind: the worst, and one that sums up the rest.
    pub(super) fn lines(self, kind: Kind, to: &mut String) {
        let (shown, passed) = self.worst.end();
        let mut left_out = self.passed;
        for annotation in &shown {
            left_out.entry(annotation.about).and_modify(|count| *count -= 1);
            annotation.line(kind, to);
        }
        let more = passed - shown.len() as u64;
        if more > 0 {
            let each: Vec<_> = left_out.into_iter().filter(|(_, count)| *count > 0).collect();
            let each: Vec<_> = each.iter().map(|(about, count)| format!("{count} {about}")).collect();
            let message = format!("{more} more: {}; `keysunset report` lists all of them", each.join(", "));
            command(kind, &[("title", &format!("and {more} more"))], &message, to);
        }
    }
}

/// As the line that sums up calls them.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("not listed to the end"),
            Self::User => f.write_str("users not read"),
            Self::Waiver => f.write_str("waivers"),
            Self::Key(severity) => write!(f, "{severity} keys"),
        }
    }
}

impl Annotation {
    fn line(&self, kind: Kind, to: &mut String) {
        let mut properties = vec![("title", self.title.as_str())];
        let place = self.place.as_ref().map(|place| (place.path(), place.line.to_string()));
        if let Some((file, line)) = &place {
            properties.extend([("file", file.as_str()), ("line", line.as_str())]);
        }
        command(kind, &properties, &self.message, to);
    }
}

/// A user as a title names him.
pub(super) fn named(user: &User) -> String {
    let name = user.username.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(&user.id);
    printable(&shortened(name, NAME))
}

/// Writes a command.
fn command(kind: Kind, properties: &[(&str, &str)], message: &str, to: &mut String) {
    let properties: Vec<_> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", data(value).replace(':', "%3A").replace(',', "%2C")))
        .collect();
    let kind = match kind {
        Kind::Error => "error",
        Kind::Warning => "warning",
        Kind::Notice => "notice",
    };
    // Writing to a string can't fail.
    let _ = writeln!(to, "::{kind} {}::{}", properties.join(","), data(message));
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_no_part_of_its_command() {
        let mut line = String::new();
        command(Kind::Error, &[("title", "a:b,c%\r\n"), ("file", "x")], "50 %::done\n::stop::", &mut line);
        let expected = "::error title=a%3Ab%2Cc%25%0D%0A,file=x::50 %25::done%0A::stop::\n";
        assert_eq!(line, expected);
    }
}
