//! The lines of version 1 of the canonical form, which earlier versions wrote: manifests of that time have its hash, and what
//! was exported then is still read. It has no organizations, and one organization a user.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::line::{ExportLine, OutcomeFields, list_and_number, list_line};
use super::{ExportCounts, ExportedRun};
use crate::model::{IncompleteList, ListScope, Membership, Origin, Outcome, PersonalKey, User, UserResult};

#[derive(Serialize, Deserialize)]
#[serde(tag = "keysunset")]
pub(super) enum Line {
    #[serde(rename = "run")]
    Run(Box<ExportedRun>),
    #[serde(rename = "gap")]
    Gap {
        source: String,
        #[serde(flatten, with = "OutcomeFields")]
        outcome: Outcome,
    },
    #[serde(rename = "reading")]
    Reading {
        user_id: String,
        username: Option<String>,
        organization: Option<String>,
        list: Option<String>,
        line: Option<u64>,
        #[serde(flatten, with = "OutcomeFields")]
        outcome: Outcome,
        attempts: u32,
        read_at: Option<DateTime<Utc>>,
        keys: Vec<PersonalKey>,
    },
    #[serde(rename = "end")]
    End(ExportCounts),
}

impl Line {
    /// `None` for what this version does not have.
    pub(super) fn new(line: ExportLine) -> Option<Self> {
        Some(match line {
            ExportLine::Run(run) => Self::Run(run),
            ExportLine::Organization(_) => return None,
            ExportLine::IncompleteList(IncompleteList { source, org_id: _, outcome }) => {
                Self::Gap { source, outcome }
            }
            ExportLine::UserResult(UserResult { user, keys, outcome, attempts, read_at }) => {
                let organization = user.origin.organization().map(str::to_owned);
                let (list, line) = list_and_number(user.origin.line.as_ref());
                let list = list.map(str::to_owned);
                let (user_id, username) = (user.id.unwrap_or_default(), user.username);
                Self::Reading {
                    user_id,
                    username,
                    organization,
                    list,
                    line,
                    outcome,
                    attempts,
                    read_at,
                    keys,
                }
            }
            ExportLine::End(counts) => Self::End(counts),
        })
    }
}

impl From<Line> for ExportLine {
    fn from(line: Line) -> Self {
        match line {
            Line::Run(run) => Self::Run(run),
            Line::Gap { source, outcome } => {
                Self::IncompleteList(IncompleteList { source, org_id: None, outcome })
            }
            Line::Reading {
                user_id,
                username,
                organization,
                list,
                line,
                outcome,
                attempts,
                read_at,
                keys,
            } => {
                let membership =
                    |id| Membership { scope: ListScope::Organization, id, roles: None, team_ids: None };
                let memberships = organization.map(membership).into_iter().collect();
                let origin = Origin { memberships, line: list_line(list, line) };
                let user = User { id: Some(user_id).filter(|id| !id.is_empty()), username, origin };
                Self::UserResult(UserResult { user, keys, outcome, attempts, read_at })
            }
            Line::End(counts) => Self::End(counts),
        }
    }
}
