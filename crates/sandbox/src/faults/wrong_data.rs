//! Wrong data in a good answer: how many rows there are, whether a page follows, whose rows they are.

use serde_json::{Value, json};

use super::selection::ActiveFault;
use super::spec::{FaultKind, no_argument, number};
use crate::rng::Rng;

/// Data that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongData {
    /// A list's `totalCount`.
    Total(WrongTotal),
    /// Every page of the list holds what the first holds, and links to the next.
    Repeats,
    /// Every page of the list holds so many rows that no other has, and links to the next.
    NeverEnds(u32),
    /// A list of keys is another user's.
    AnotherUser,
    /// Every id of a list or of a user is a path.
    PathIds,
}

/// A wrong `totalCount`. One that would be right by chance is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongTotal {
    /// So much more or, below 0, less.
    Offset(i64),
    /// This number.
    Exactly(u64),
}

impl WrongData {
    pub(super) fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "total" => WrongTotal::parse(argument.unwrap_or("+1")).map(Self::Total),
            "repeats" => no_argument(argument, Self::Repeats),
            "never-ends" => number(argument, 10, 500).map(Self::NeverEnds),
            "another-user" => no_argument(argument, Self::AnotherUser),
            "path-ids" => no_argument(argument, Self::PathIds),
            _ => return None,
        })
    }
}

impl WrongTotal {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let off = text.starts_with(['+', '-']);
        let wrong = if off { text.parse().map(Self::Offset) } else { text.parse().map(Self::Exactly) };
        let wrong = wrong.ok().filter(|wrong| *wrong != Self::Offset(0));
        wrong.ok_or("the argument is a number, +1 and more or -1 and less")
    }
}

/// The `createdAt` of invented keys.
const INVENTED_AT: &str = "2018-05-14T14:45:22Z";

impl ActiveFault<'_> {
    fn wrong_data(&self) -> Option<WrongData> {
        match self.kind {
            FaultKind::WrongData(wrong) => Some(*wrong),
            FaultKind::Auth(_) | FaultKind::Replacement(_) | FaultKind::Transport(_) => None,
        }
    }

    /// The page to read in place of the requested one.
    pub(crate) fn page_to_read(&self, requested: u64) -> u64 {
        if self.wrong_data() == Some(WrongData::Repeats) { 1 } else { requested }
    }

    pub(crate) fn alter_document(&self, document: &mut Value) {
        if self.wrong_data() == Some(WrongData::PathIds) {
            self.make_path(0, document);
        }
    }

    /// Alters a page of the list at `path`; `page` is the requested one. Returns whether the page must claim that
    /// another follows.
    pub(crate) fn alter_list(
        &self,
        path: &str,
        page: u64,
        rows: &mut Vec<Value>,
        total: &mut Option<u64>,
    ) -> bool {
        let Some(wrong) = self.wrong_data() else { return false };
        match wrong {
            WrongData::Total(wrong) => *total = Some(wrong.instead_of(total.unwrap_or_default())),
            WrongData::Repeats => {}
            WrongData::NeverEnds(count) => {
                let count = u64::from(count);
                let numbers = (page - 1) * count..page * count;
                *rows = numbers.map(|number| self.invented(number, path)).collect();
                *total = Some((page + 1) * count);
            }
            WrongData::PathIds => {
                for (at, row) in rows.iter_mut().enumerate() {
                    self.make_path(at, row);
                }
            }
            WrongData::AnotherUser => {
                if rows.is_empty() {
                    rows.push(self.invented(0, path));
                    *total = total.map(|total| total + 1);
                }
                for row in rows {
                    row["userId"] = self.id(u64::MAX).into();
                }
            }
        }
        matches!(wrong, WrongData::Repeats | WrongData::NeverEnds(_))
    }

    /// An id that the world does not have.
    fn id(&self, number: u64) -> String {
        format!("ffff{:016x}{:04x}", Rng::new(self.random, 0, number).next_u64(), number & 0xffff)
    }

    /// A row that the world does not have: a key in a list of keys, elsewhere a user or an organization.
    fn invented(&self, number: u64, path: &str) -> Value {
        let id = self.id(number);
        match path.split('/').collect::<Vec<_>>()[..] {
            ["", "users", user, "keys"] => json!({
                "createdAt": INVENTED_AT, "description": "invented", "enabled": true, "id": id,
                "obfuscatedKey": format!("********-****-****-{}", &id[12..]), "usedCount": 0, "userId": user,
            }),
            _ => json!({ "id": id, "name": id, "roles": [], "username": format!("{id}@example.com") }),
        }
    }

    /// Replaces an id by a path; no two of a page are the same.
    fn make_path(&self, at: usize, row: &mut Value) {
        let Some(id) = row["id"].as_str() else { return };
        row["id"] = match (self.random % 8 + at as u64) % 8 {
            0 => format!("../../admin/apiKeys?of={id}"),
            1 => format!("../{id}"),
            2 => format!("{id}/../../orgs"),
            3 => format!("/etc/passwd#{id}"),
            4 => format!("%2e%2e%2f{id}"),
            5 => format!("..\\{id}"),
            6 => format!("http://127.0.0.1:1/{id}"),
            _ => format!("{id}\r\nX-Injected: yes\u{0}"),
        }
        .into();
    }
}

impl WrongTotal {
    fn instead_of(self, right: u64) -> u64 {
        let wrong = match self {
            Self::Offset(by) => right.saturating_add_signed(by),
            Self::Exactly(number) => number,
        };
        if wrong == right { right + 1 } else { wrong }
    }
}
