//! A list of users as JSON: an array of ids, names or users, or the API's own list answer in any envelope. Users are taken out
//! as it is parsed, so that a list of a million needs no memory.

use std::collections::BTreeSet;
use std::fmt;
use std::io::BufRead;
use std::num::NonZeroU64;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{EachUser, id_and_name, id_or_name};
use crate::client::{is_relation, page_number};

pub(super) fn read(list: impl BufRead, each: &mut EachUser) {
    let mut json = serde_json::Deserializer::from_reader(list);
    let mut users = JsonUsers { each, count: 0 };
    let end = (&mut users).deserialize(&mut json).and_then(|()| json.end());
    if let Err(why) = end {
        let text = why.to_string();
        // serde appends the place, which is reported already.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        each(NonZeroU64::new(why.line() as u64), Err(text.to_owned()));
    }
}

struct JsonUsers<'e, 'a> {
    each: &'e mut EachUser<'a>,
    count: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonUser {
    Text(String),
    Object { id: Option<String>, user_id: Option<String>, username: Option<String> },
}

#[derive(Deserialize)]
struct JsonLink {
    rel: Option<String>,
    href: Option<String>,
}

impl JsonLink {
    /// What says that the list has a page before or after this one.
    fn other_page(self) -> Option<String> {
        let rel = self.rel?;
        let number = || page_number(&self.href?).filter(|number| *number > 1);
        let is = |relation| is_relation(&rel, relation);
        if is("previous") || is("next") {
            return Some(format!("its links name another page ({rel})"));
        }
        let number = is("self").then(number).flatten();
        number.map(|number| format!("its own link is page {number}"))
    }
}

impl<'de> DeserializeSeed<'de> for &mut JsonUsers<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut JsonUsers<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of users, or a list response of the API")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(user) = rows.next_element::<JsonUser>()? {
            let user = match &user {
                JsonUser::Text(text) => id_or_name(text.trim()),
                JsonUser::Object { id, user_id, username } => {
                    id_and_name(user_id.as_deref().or(id.as_deref()), username.as_deref())
                }
            };
            self.count += 1;
            // An error of the parser carries the line, which the row itself does not know.
            (self.each)(None, Ok(user.map_err(A::Error::custom)?));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let (mut total, mut has_rows, mut other_page) = (None::<u64>, false, None);
        let mut seen = BTreeSet::new();
        while let Some(field) = fields.next_key::<String>()? {
            if !seen.insert(field.clone()) {
                return Err(A::Error::custom(format!("repeated field {field:?}")));
            }
            match field.as_str() {
                "results" | "content" if has_rows => {
                    return Err(A::Error::custom("both `results` and `content`"));
                }
                "error" | "errorCode" => {
                    return Err(A::Error::custom("an error response, not a list of users"));
                }
                "results" | "content" => {
                    fields.next_value_seed(&mut *self)?;
                    has_rows = true;
                }
                "totalCount" => total = fields.next_value()?,
                "links" => {
                    let links: Option<Vec<JsonLink>> = fields.next_value()?;
                    other_page = links.into_iter().flatten().find_map(JsonLink::other_page);
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if !has_rows {
            return Err(A::Error::custom("neither an array nor a list response: no `results`"));
        }
        if let Some(why) = other_page {
            return Err(A::Error::custom(format!("incomplete list: {why}; save all pages")));
        }
        match total {
            Some(total) if total != self.count => Err(A::Error::custom(format!(
                "incomplete list: {} users of {total} (totalCount); save all pages",
                self.count
            ))),
            Some(_) | None => Ok(()),
        }
    }
}
