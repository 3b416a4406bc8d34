//! Roles and the ids of teams as JSON in a column: the bytes of serde, in a fifth of its time, since next to nothing that the
//! service says has a character to escape.

use crate::model::Role;

pub(super) fn roles_to_json(roles: &[Role]) -> String {
    array_to_json(roles, |Role { org_id, project_id, name }, json| {
        json.push_str("{\"org_id\":");
        push_text(org_id.as_deref(), json);
        json.push_str(",\"project_id\":");
        push_text(project_id.as_deref(), json);
        json.push_str(",\"name\":");
        push_text(Some(name), json);
        json.push('}');
    })
}

pub(super) fn texts_to_json(texts: &[String]) -> String {
    array_to_json(texts, |text, json| push_text(Some(text), json))
}

/// Bytes that most items take.
const ITEM: usize = 112;

fn array_to_json<T>(items: &[T], push_item: impl Fn(&T, &mut String)) -> String {
    let mut json = String::with_capacity(2 + items.len() * ITEM);
    json.push('[');
    for (at, item) in items.iter().enumerate() {
        json.push_str(if at == 0 { "" } else { "," });
        push_item(item, &mut json);
    }
    json.push(']');
    json
}

fn push_text(text: Option<&str>, json: &mut String) {
    match text {
        None => json.push_str("null"),
        Some(text) if is_plain(text) => {
            json.push('"');
            json.push_str(text);
            json.push('"');
        }
        Some(text) => json.push_str(&serde_json::Value::from(text).to_string()),
    }
}

/// Whether no character has to be escaped in JSON. All bytes are looked at, which the compiler does many at a time.
fn is_plain(text: &str) -> bool {
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    text.bytes().filter(is_special).count() == 0
}

/// Reads what [`roles_to_json`] wrote.
pub(super) fn roles_from_json(json: &str) -> serde_json::Result<Vec<Role>> {
    PlainJson(json).array(PlainJson::role).map_or_else(|| serde_json::from_str(json), Ok)
}

/// Reads what [`texts_to_json`] wrote.
pub(super) fn texts_from_json(json: &str) -> serde_json::Result<Vec<String>> {
    let text = |json: &mut PlainJson| json.text().map(str::to_owned);
    PlainJson(json).array(text).map_or_else(|| serde_json::from_str(json), Ok)
}

/// What was not read yet of JSON as it is written above. `None`, from any of its functions, leaves it to serde.
struct PlainJson<'a>(&'a str);

impl<'a> PlainJson<'a> {
    fn array<T>(mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.skip("[")?;
        let mut items = Vec::new();
        while self.0 != "]" {
            if !items.is_empty() {
                self.skip(",")?;
            }
            items.push(item(&mut self)?);
        }
        Some(items)
    }

    fn role(&mut self) -> Option<Role> {
        let mut role = Role { org_id: None, project_id: None, name: String::new() };
        self.skip("{\"org_id\":")?;
        self.text_or_null(&mut role.org_id)?;
        self.skip(",\"project_id\":")?;
        self.text_or_null(&mut role.project_id)?;
        self.skip(",\"name\":")?;
        self.text()?.clone_into(&mut role.name);
        self.skip("}")?;
        Some(role)
    }

    fn text_or_null(&mut self, text: &mut Option<String>) -> Option<()> {
        if self.skip("null").is_none() {
            *text = Some(self.text()?.to_owned());
        }
        Some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        self.skip("\"")?;
        let (text, rest) = self.0.split_at(memchr::memchr2(b'"', b'\\', self.0.as_bytes())?);
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_role() -> impl Strategy<Value = Role> {
        let text = || prop_oneof!["[0-9a-f]{24}", any::<String>()];
        (proptest::option::of(text()), proptest::option::of(text()), text())
            .prop_map(|(org_id, project_id, name)| Role { org_id, project_id, name })
    }

    proptest! {
        #[test]
        fn roles_and_texts_are_written_and_read_as_serde_does(
            roles in proptest::collection::vec(any_role(), 0..4),
            texts in proptest::collection::vec(any::<String>(), 0..4),
        ) {
            let json = (roles_to_json(&roles), texts_to_json(&texts));
            prop_assert_eq!(&json.0, &serde_json::to_string(&roles).unwrap());
            prop_assert_eq!(&json.1, &serde_json::to_string(&texts).unwrap());
            prop_assert_eq!(roles_from_json(&json.0).unwrap(), roles);
            prop_assert_eq!(texts_from_json(&json.1).unwrap(), texts);
        }

        #[test]
        fn other_json_is_read_or_refused_as_serde_does(json in "[\\[{\"a\\\\,:nul}\\] ]{0,12}") {
            prop_assert_eq!(texts_from_json(&json).ok(), serde_json::from_str(&json).ok());
            prop_assert_eq!(roles_from_json(&json).ok(), serde_json::from_str(&json).ok());
        }
    }

    #[test]
    fn roles_in_another_order_are_read() {
        let json = "[{\"name\":\"A\", \"org_id\":null,\"project_id\":\"\\u0061\"}]";
        let role = Role { org_id: None, project_id: Some("a".to_owned()), name: "A".to_owned() };
        assert_eq!(roles_from_json(json).unwrap(), [role]);
        assert!(roles_from_json("[{\"org_id\":null,\"project_id\":null,\"name\":null}]").is_err());
        assert!(texts_from_json("[\"a\"]]").is_err());
    }
}
