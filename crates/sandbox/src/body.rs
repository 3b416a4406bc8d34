//! Request bodies: JSON that is checked attribute by attribute, so that a refusal can name the one that is wrong.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// An object whose attributes are asked for one at a time; others are ignored.
pub(super) struct Object(Map<String, Value>);

/// # Errors
/// What is not JSON, or not an object.
pub(super) fn object(body: &[u8]) -> Result<Object, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(Object(map)),
        Ok(_) | Err(_) => Err(Refusal::MalformedJson),
    }
}

/// # Errors
/// What is not JSON, or not a list of objects.
pub(super) fn objects(body: &[u8]) -> Result<Vec<Object>, Refusal> {
    let list: Vec<Map<String, Value>> = serde_json::from_slice(body).map_err(|_| Refusal::MalformedJson)?;
    Ok(list.into_iter().map(Object).collect())
}

impl Object {
    /// `None` where the attribute is missing or null, as in all of these.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.get(name, |value| value.as_str().map(str::to_owned))
    }

    /// A boolean, which may come as a string.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.get(name, |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        self.get(name, |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    fn get<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Refusal::InvalidAttribute(name.to_owned())),
        }
    }
}
