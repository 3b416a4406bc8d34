//! The lines of the canonical form: what each holds, in the order in which it is written. They are types of their own, so that
//! a rename inside changes no hash.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Head, Totals};
use crate::model::{
    IncompleteList, Line as ListLine, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User, UserResult,
};

/// One line. The first field says which kind, in words that `docs/evidence.md` promises, whatever the variants are called.
#[derive(Serialize, Deserialize)]
#[serde(tag = "keysunset")]
pub(super) enum Line<'a> {
    #[serde(rename = "run")]
    Run(Box<Head>),
    #[serde(rename = "gap")]
    IncompleteList(IncompleteListLine<'a>),
    #[serde(rename = "reading")]
    UserResult(UserResultLine<'a>),
    #[serde(rename = "end")]
    End(Totals),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncompleteListLine<'a> {
    source: Cow<'a, str>,
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserResultLine<'a> {
    user_id: Cow<'a, str>,
    username: Option<Cow<'a, str>>,
    organization: Option<Cow<'a, str>>,
    list: Option<Cow<'a, str>>,
    line: Option<u64>,
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    attempts: u32,
    read_at: Option<DateTime<Utc>>,
    keys: Vec<KeyLine<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine<'a> {
    id: Cow<'a, str>,
    suffix: Option<Cow<'a, str>>,
    description: Cow<'a, str>,
    enabled: Option<bool>,
    created_at: Option<DateTime<Utc>>,
    last_used: Option<DateTime<Utc>>,
    used_count: Option<u64>,
    auditing: bool,
}

impl<'a> From<&'a IncompleteList> for IncompleteListLine<'a> {
    fn from(IncompleteList { source, outcome }: &'a IncompleteList) -> Self {
        let Outcome { status, http_status, error_code, detail } = outcome;
        Self {
            source: source.into(),
            status: *status,
            http_status: *http_status,
            error_code: error_code.as_deref().map(Cow::from),
            detail: detail.as_deref().map(Cow::from),
        }
    }
}

impl From<IncompleteListLine<'_>> for IncompleteList {
    fn from(line: IncompleteListLine<'_>) -> Self {
        let IncompleteListLine { source, status, http_status, error_code, detail } = line;
        let (error_code, detail) = (error_code.map(Cow::into_owned), detail.map(Cow::into_owned));
        Self { source: source.into_owned(), outcome: Outcome { status, http_status, error_code, detail } }
    }
}

impl<'a> From<&'a UserResult> for UserResultLine<'a> {
    fn from(reading: &'a UserResult) -> Self {
        let UserResult { user, keys, outcome, attempts, read_at } = reading;
        let User { id, username, origin: Origin { organization, line } } = user;
        let Outcome { status, http_status, error_code, detail } = outcome;
        Self {
            user_id: id.into(),
            username: username.as_deref().map(Cow::from),
            organization: organization.as_deref().map(Cow::from),
            list: line.as_ref().map(|line| Cow::from(&*line.list)),
            line: line.as_ref().map(|line| line.number),
            status: *status,
            http_status: *http_status,
            error_code: error_code.as_deref().map(Cow::from),
            detail: detail.as_deref().map(Cow::from),
            attempts: *attempts,
            read_at: *read_at,
            keys: keys.iter().map(KeyLine::from).collect(),
        }
    }
}

impl TryFrom<UserResultLine<'_>> for UserResult {
    type Error = String;

    fn try_from(reading: UserResultLine<'_>) -> Result<Self, String> {
        let UserResultLine {
            user_id,
            username,
            organization,
            list,
            line,
            status,
            http_status,
            error_code,
            detail,
            attempts,
            read_at,
            keys,
        } = reading;
        let line = match (list, line) {
            (Some(list), Some(number)) => Some(ListLine { list: (*list).into(), number }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("`list` and `line` stand together, or neither".to_owned());
            }
        };
        let origin = Origin { organization: organization.map(|id| (*id).into()), line };
        Ok(Self {
            user: User { id: user_id.into_owned(), username: username.map(Cow::into_owned), origin },
            keys: keys.into_iter().map(PersonalKey::try_from).collect::<Result<_, _>>()?,
            outcome: Outcome {
                status,
                http_status,
                error_code: error_code.map(Cow::into_owned),
                detail: detail.map(Cow::into_owned),
            },
            attempts,
            read_at,
        })
    }
}

impl<'a> From<&'a PersonalKey> for KeyLine<'a> {
    fn from(key: &'a PersonalKey) -> Self {
        let PersonalKey { id, suffix, description, enabled, created_at, last_used, used_count, auditing } =
            key;
        Self {
            id: id.into(),
            suffix: suffix.as_ref().map(|suffix| suffix.as_str().into()),
            description: description.into(),
            enabled: *enabled,
            created_at: *created_at,
            last_used: *last_used,
            used_count: *used_count,
            auditing: *auditing,
        }
    }
}

impl TryFrom<KeyLine<'_>> for PersonalKey {
    type Error = String;

    fn try_from(key: KeyLine<'_>) -> Result<Self, String> {
        let KeyLine { id, suffix, description, enabled, created_at, last_used, used_count, auditing } = key;
        let suffix = suffix.map(|text| {
            let suffix = Suffix::of(&text).filter(|suffix| suffix.as_str() == text);
            suffix
                .ok_or_else(|| format!("`suffix` of key {} is not 12 hexadecimal digits", id.escape_debug()))
        });
        Ok(Self {
            suffix: suffix.transpose()?,
            id: id.into_owned(),
            description: description.into_owned(),
            enabled,
            created_at,
            last_used,
            used_count,
            auditing,
        })
    }
}
