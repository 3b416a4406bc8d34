//! One entry of a file of waivers as it is being read: its fields, and what each may hold.

use chrono::NaiveDate;
use toml::de::DeValue;

use super::{PathGlob, Target, Waiver};
use crate::input::{Field, Problems};
use crate::model::object_id;

/// Characters of a text that are quoted.
const QUOTED: usize = 60;

/// What a field of an entry is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Key,
    User,
    Organization,
    Path,
    Deployment,
    Reason,
    Owner,
    Expires,
    Ticket,
}

impl Subject {
    /// Whether it says what the waiver is of.
    const fn is_target(self) -> bool {
        match self {
            Self::Key | Self::User | Self::Organization => true,
            Self::Path | Self::Deployment | Self::Reason | Self::Owner | Self::Expires | Self::Ticket => {
                false
            }
        }
    }
}

/// The columns of `keys.csv` are names of the same things, and are copied with them.
fn subject(name: &str) -> Option<Subject> {
    match name {
        "key" | "key_id" | "key-id" => Some(Subject::Key),
        "user" | "user_id" | "user-id" | "username" => Some(Subject::User),
        "organization" | "org" | "org_id" | "org-id" | "org_name" | "org-name" => Some(Subject::Organization),
        "path" => Some(Subject::Path),
        "deployment" => Some(Subject::Deployment),
        "reason" => Some(Subject::Reason),
        "owner" => Some(Subject::Owner),
        "expires" => Some(Subject::Expires),
        "ticket" => Some(Subject::Ticket),
        _ => None,
    }
}

/// What a waiver applies to. No two waivers of a file have the same.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct WaiverScope {
    pub(super) target: Target,
    path: Option<String>,
    deployment: Option<String>,
}

/// An entry as far as it is whole.
#[derive(Default)]
pub(super) struct WaiverBuilder {
    line: u64,
    /// And the line where it is named.
    target: Option<(u64, Target)>,
    path: Option<(u64, PathGlob)>,
    deployment: Option<String>,
    reason: Option<String>,
    owner: Option<String>,
    expires: Option<NaiveDate>,
    ticket: Option<String>,
    /// What it speaks of, rightly or not.
    named: Vec<Subject>,
    is_wrong: bool,
}

impl WaiverBuilder {
    /// The entry of these fields, which begins in this line and may expire on `last`. What is wrong with a field is a
    /// problem.
    pub(super) fn read(fields: Vec<Field>, line: u64, last: NaiveDate, problems: &mut Problems) -> Self {
        let mut entry = Self { line, ..Self::default() };
        for field in fields {
            if let Err(why) = entry.put(&field, last) {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let is_plain = field.name.chars().all(plain);
                let name = if is_plain { field.name.into_owned() } else { quoted(&field.name) };
                problems.push(field.line, format!("{name}: {why}"));
                entry.is_wrong = true;
            }
        }
        entry
    }

    fn put(&mut self, field: &Field, last: NaiveDate) -> Result<(), String> {
        let subject = subject(&field.name).ok_or(
            "unknown field; the fields are key, user, organization or path, reason, owner, expires, ticket and deployment",
        )?;
        let is_second = subject.is_target() && self.names_target();
        self.named.push(subject);
        if is_second {
            self.target = None;
            return Err("a waiver is for one key, user or organization; this one names a second".to_owned());
        }
        match subject {
            Subject::Key => self.target = Some((field.line, key(&field.value)?)),
            Subject::User => {
                let user = name(&field.value, "enter the ID or name of a user who can't be read")?;
                self.target = Some((field.line, Target::User(user)));
            }
            Subject::Organization => {
                let organization = name(
                    &field.value,
                    "enter the ID or name of an organization whose users can't be listed",
                )?;
                self.target = Some((field.line, Target::Organization(organization)));
            }
            Subject::Path => self.path = Some((field.line, glob(&field.value)?)),
            Subject::Deployment => self.deployment = Some(text(&field.value)?),
            Subject::Reason => self.reason = Some(text(&field.value)?),
            Subject::Owner => self.owner = Some(text(&field.value)?),
            Subject::Expires => self.expires = Some(day(&field.value, last)?),
            Subject::Ticket => self.ticket = Some(text(&field.value)?),
        }
        Ok(())
    }

    fn names_target(&self) -> bool {
        self.named.iter().any(|subject| subject.is_target())
    }

    /// The line that says what it is of; and what it is of, with its path and its deployment.
    pub(super) fn scope(&self) -> Option<(u64, WaiverScope)> {
        let (line, target) = match (&self.target, &self.path) {
            (Some((line, target)), _) => (*line, target.clone()),
            (None, Some((line, _))) if !self.names_target() => (*line, Target::Path),
            (None, _) => return None,
        };
        let path = self.path.as_ref().map(|(_, path)| path.as_str().to_owned());
        Some((line, WaiverScope { target, path, deployment: self.deployment.clone() }))
    }

    /// The whole of it; what is missing is a problem.
    pub(super) fn finish(self, problems: &mut Problems) -> Option<Waiver> {
        let is_place = self.named.contains(&Subject::Path);
        if !self.names_target() && !is_place {
            problems.push(self.line, "key, user, organization or path is missing: add what is waived");
        }
        if is_place && matches!(self.target, Some((_, Target::User(_) | Target::Organization(_)))) {
            problems
                .push(self.line, "path: a path is for a key or for all keys, not for a user or organization");
            return None;
        }
        for (subject, why) in [
            (Subject::Reason, "reason is missing: add why the exception is accepted"),
            (Subject::Owner, "owner is missing: add who is responsible"),
            (Subject::Expires, "expires is missing: add the last valid day"),
        ] {
            if !self.named.contains(&subject) {
                problems.push(self.line, why);
            }
        }
        let Self { line, target, path, deployment, reason, owner, expires, ticket, named: _, is_wrong } =
            self;
        if is_wrong {
            return None;
        }
        let path = path.map(|(_, path)| path);
        let target = target.map(|(_, target)| target).or(path.as_ref().map(|_| Target::Path))?;
        let (reason, owner, expires) = (reason?, owner?, expires?);
        Some(Waiver { line, target, path, deployment, reason, owner, expires, ticket })
    }
}

/// A text of the file between quotes, without anything invisible and not too long.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= QUOTED {
        return format!("{text:?}");
    }
    format!("{:?}", text.chars().take(QUOTED).chain(['…']).collect::<String>())
}

fn string<'a>(value: &'a DeValue) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("expected text in quotes, not {}", kind(value)))
}

/// What the file has instead.
fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn key(value: &DeValue) -> Result<Target, String> {
    let id = string(value)?;
    object_id(id).map(Target::Key).ok_or_else(|| {
        let why = "is not a key ID (24 hexadecimal digits, as in the column key_id of keys.csv)";
        format!("{} {why}", quoted(id))
    })
}

/// Unchanged: a name with white space around it is another name.
fn name(value: &DeValue, expected: &str) -> Result<String, String> {
    let name = string(value)?;
    if is_blank(name) { Err(format!("the value is empty: {expected}")) } else { Ok(name.to_lowercase()) }
}

/// The paths below a repository.
fn glob(value: &DeValue) -> Result<PathGlob, String> {
    let glob = string(value)?;
    if is_blank(glob) {
        return Err("the value is empty: enter a path such as docs/** or tests/*.md".to_owned());
    }
    PathGlob::new(glob).map_err(|why| format!("{} is not a path with * and **: {why}", quoted(glob)))
}

fn text(value: &DeValue) -> Result<String, String> {
    let text = string(value)?.trim();
    if is_blank(text) { Err("the value is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Whether there is nothing to be seen.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.escape_debug().next() == Some('\\'))
}

/// A day without a time, at most `last`.
fn day(value: &DeValue, last: NaiveDate) -> Result<NaiveDate, String> {
    let expected = |what: &str| format!("expected a day such as {last}, {what}");
    let day = match value {
        DeValue::Datetime(given) => match (given.date, given.time) {
            (Some(date), None) => {
                NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
                    .ok_or_else(|| expected(&format!("but {given} does not exist")))?
            }
            (Some(_), Some(_)) => {
                return Err(expected("without a time (a waiver is valid until the end of the day, UTC)"));
            }
            (None, _) => return Err(expected("not a time")),
        },
        DeValue::String(text) => {
            let day = text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == **text);
            day.ok_or_else(|| expected(&format!("not {}", quoted(text))))?
        }
        other => return Err(expected(&format!("not {}", kind(other)))),
    };
    if day > last {
        return Err(format!("{day} is more than a year ahead; the latest possible day is {last}"));
    }
    Ok(day)
}
