//! One entry of a file of waivers as it is being read: its fields, and what each may hold.

use chrono::NaiveDate;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Problems, quoted};
use super::{Target, Waiver};
use crate::lines::LineIndex;

/// A field of an entry.
#[derive(Clone, Copy)]
enum Field {
    Key,
    User,
    Deployment,
    Reason,
    Owner,
    Expires,
    Ticket,
}

impl Field {
    /// The columns of `keys.csv` are names of the same things, and are copied with them.
    fn named(name: &str) -> Option<Self> {
        match name {
            "key" | "key_id" | "key-id" => Some(Self::Key),
            "user" | "user_id" | "user-id" | "username" => Some(Self::User),
            "deployment" => Some(Self::Deployment),
            "reason" => Some(Self::Reason),
            "owner" => Some(Self::Owner),
            "expires" => Some(Self::Expires),
            "ticket" => Some(Self::Ticket),
            _ => None,
        }
    }
}

/// What became of a field.
#[derive(Default)]
enum Given<T> {
    #[default]
    Missing,
    /// And told.
    Wrong,
    Right(T),
}

impl<T> Given<T> {
    /// The value; where there is none, `missing` is told, unless something was told already.
    fn or_told(self, missing: &str, line: u64, mistakes: &mut Problems) -> Option<T> {
        match self {
            Self::Right(value) => Some(value),
            Self::Wrong => None,
            Self::Missing => {
                mistakes.note(line, missing);
                None
            }
        }
    }
}

/// An entry as far as it is whole.
#[derive(Default)]
pub(super) struct Draft {
    line: u64,
    /// And the line where it is named.
    target: Given<(u64, Target)>,
    deployment: Given<String>,
    reason: Given<String>,
    owner: Given<String>,
    expires: Given<NaiveDate>,
    ticket: Given<String>,
    /// Whether a field is none.
    is_strange: bool,
}

impl Draft {
    /// Of the entry that begins in this line and may expire on `last`; what is wrong with a field is noted.
    pub(super) fn of(
        table: DeTable,
        line: u64,
        last: NaiveDate,
        lines: &LineIndex,
        mistakes: &mut Problems,
    ) -> Self {
        let mut draft = Self { line, ..Self::default() };
        let mut fields: Vec<_> = table.into_iter().collect();
        fields.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in fields {
            let line = lines.at(name.span().start);
            let mut told = Told { line, name: name.get_ref(), mistakes };
            let value = value.into_inner();
            match Field::named(told.name) {
                Some(Field::Key) => draft.put_target(key(&value), &mut told),
                Some(Field::User) => draft.put_target(user(&value), &mut told),
                Some(Field::Deployment) => draft.deployment = told.given(text(&value)),
                Some(Field::Reason) => draft.reason = told.given(text(&value)),
                Some(Field::Owner) => draft.owner = told.given(text(&value)),
                Some(Field::Expires) => draft.expires = told.given(day(&value, last)),
                Some(Field::Ticket) => draft.ticket = told.given(text(&value)),
                None => {
                    told.note("there is no such field, but key or user, reason, owner, expires, ticket and deployment");
                    draft.is_strange = true;
                }
            }
        }
        draft
    }

    fn put_target(&mut self, target: Result<Target, String>, told: &mut Told) {
        self.target = match self.target {
            Given::Missing => match told.given(target) {
                Given::Right(target) => Given::Right((told.line, target)),
                Given::Wrong | Given::Missing => Given::Wrong,
            },
            Given::Wrong | Given::Right(_) => {
                told.note("a waiver is of one key or of one user, and this one names a second");
                Given::Wrong
            }
        };
    }

    /// The deployment in which it counts, if it names one.
    pub(super) fn deployment(&self) -> Option<&str> {
        match &self.deployment {
            Given::Right(name) => Some(name),
            Given::Wrong | Given::Missing => None,
        }
    }

    /// What it is of, and the line that says so.
    pub(super) fn target(&self) -> Option<(u64, &Target)> {
        match &self.target {
            Given::Right((line, target)) => Some((*line, target)),
            Given::Wrong | Given::Missing => None,
        }
    }

    /// The whole of it; what is missing is noted.
    pub(super) fn finish(self, mistakes: &mut Problems) -> Option<Waiver> {
        let line = self.line;
        let target = self.target.or_told("neither key nor user: what is waived?", line, mistakes);
        let reason = self.reason.or_told("reason is missing: why is this accepted?", line, mistakes);
        let owner = self.owner.or_told("owner is missing: who answers for it?", line, mistakes);
        let expires =
            self.expires.or_told("expires is missing: the last day on which it counts", line, mistakes);
        let optional = |given| match given {
            Given::Missing => Some(None),
            Given::Right(text) => Some(Some(text)),
            Given::Wrong => None,
        };
        let (ticket, deployment) = (optional(self.ticket)?, optional(self.deployment)?);
        if self.is_strange {
            return None;
        }
        let (target, reason, owner, expires) = (target?.1, reason?, owner?, expires?);
        Some(Waiver { line, target, deployment, reason, owner, expires, ticket })
    }
}

/// The field that is being read, for telling what is wrong with it.
struct Told<'a> {
    line: u64,
    name: &'a str,
    mistakes: &'a mut Problems,
}

impl Told<'_> {
    fn note(&mut self, why: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = if self.name.chars().all(plain) { self.name.to_owned() } else { quoted(self.name) };
        self.mistakes.note(self.line, format!("{name}: {why}"));
    }

    fn given<T>(&mut self, value: Result<T, String>) -> Given<T> {
        match value {
            Ok(value) => Given::Right(value),
            Err(why) => {
                self.note(&why);
                Given::Wrong
            }
        }
    }
}

fn string<'a>(value: &'a DeValue) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("expected a text between quotes, not {}", kind(value)))
}

/// What stands there instead.
fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn key(value: &DeValue) -> Result<Target, String> {
    let id = string(value)?;
    if id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Target::Key(id.to_ascii_lowercase()));
    }
    let why = "is no id of a key: 24 hexadecimal digits, as in the column key_id of keys.csv";
    Err(format!("{} {why}", quoted(id)))
}

/// As it stands there: a name with white space around it is another name.
fn user(value: &DeValue) -> Result<Target, String> {
    let user = string(value)?;
    if is_blank(user) {
        return Err("it is empty: whom nobody can read, by id or name".to_owned());
    }
    Ok(Target::User(user.to_lowercase()))
}

fn text(value: &DeValue) -> Result<String, String> {
    let text = string(value)?.trim();
    if is_blank(text) { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
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
                    .ok_or_else(|| expected(&format!("and {given} is none")))?
            }
            (Some(_), Some(_)) => {
                return Err(expected("without a time: it counts to the end of the day, UTC"));
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
        return Err(format!("{day} is more than a year ahead; the last day that can be asked for is {last}"));
    }
    Ok(day)
}
