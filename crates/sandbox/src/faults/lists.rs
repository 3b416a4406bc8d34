//! Pages that lie: about how many there are, about what follows, about whose rows they hold.

use serde_json::{Value, json};

use super::super::answer::{Answer, Page, links};
use super::super::call::Call;
use super::super::scramble::Dice;
use super::hits::Hit;
use super::kind::{FaultKind, WrongData, WrongTotal};

/// When the keys were made that nobody made.
const MADE: &str = "2018-05-14T14:45:22Z";

impl Hit<'_> {
    /// The page to look up in place of the one that was asked for.
    pub(crate) fn page(&self, asked: u64) -> u64 {
        if *self.kind == FaultKind::WrongData(WrongData::Repeats) { 1 } else { asked }
    }

    /// What becomes of a good answer. `page` is the one that was asked for.
    pub(crate) fn bend(&self, answer: Answer, call: &Call, page: u64) -> Answer {
        let FaultKind::WrongData(bent) = *self.kind else { return answer };
        match answer {
            Answer::Page(status, rows) => Answer::Page(status, self.bend_page(bent, rows, call, page)),
            Answer::One(status, mut document) => {
                if bent == WrongData::PathIds {
                    self.make_path(0, &mut document);
                }
                Answer::One(status, document)
            }
            Answer::Nothing => Answer::Nothing,
        }
    }

    fn bend_page(&self, bent: WrongData, mut list: Page, call: &Call, page: u64) -> Page {
        let another_follows = || links(&call.href(call.path), &call.query.clone().on(page), u64::MAX);
        match bent {
            WrongData::Total(lie) => list.total = Some(lie.about(list.total.unwrap_or_default())),
            WrongData::Repeats => list.links = another_follows(),
            WrongData::NeverEnds(rows) => {
                let rows = u64::from(rows);
                let numbers = (page - 1) * rows..page * rows;
                list.rows = numbers.map(|number| self.invented(number, call.path)).collect();
                list.links = another_follows();
                list.total = Some((page + 1) * rows);
            }
            WrongData::PathIds => {
                for (at, row) in list.rows.iter_mut().enumerate() {
                    self.make_path(at, row);
                }
            }
            WrongData::AnotherUser => {
                if list.rows.is_empty() {
                    list.rows.push(self.invented(0, call.path));
                    list.total = list.total.map(|total| total + 1);
                }
                for row in &mut list.rows {
                    row["userId"] = self.id(u64::MAX).into();
                }
            }
        }
        list
    }

    /// An id that the world does not have.
    fn id(&self, number: u64) -> String {
        format!("ffff{:016x}{:04x}", Dice::new(self.chance, 0, number).roll(), number & 0xffff)
    }

    /// A row that nobody has: a key in a list of keys, elsewhere somebody or something with a name.
    fn invented(&self, number: u64, path: &str) -> Value {
        let id = self.id(number);
        match path.split('/').collect::<Vec<_>>()[..] {
            ["", "users", user, "keys"] => json!({
                "createdAt": MADE, "description": "invented", "enabled": true, "id": id,
                "obfuscatedKey": format!("********-****-****-{}", &id[12..]), "usedCount": 0, "userId": user,
            }),
            _ => json!({ "id": id, "name": id, "roles": [], "username": format!("{id}@example.com") }),
        }
    }

    /// Replaces an id by a path; no two of a page are the same.
    fn make_path(&self, at: usize, row: &mut Value) {
        let Some(id) = row["id"].as_str() else { return };
        row["id"] = match (self.chance % 8 + at as u64) % 8 {
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
    fn about(self, truth: u64) -> u64 {
        let told = match self {
            Self::Offset(by) => truth.saturating_add_signed(by),
            Self::Exactly(number) => number,
        };
        if told == truth { truth + 1 } else { told }
    }
}
