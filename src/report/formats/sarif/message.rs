//! Text and places as SARIF has them.

use serde::Serialize;

use crate::report::location::SourceLocation;
use crate::report::record::Record;
use crate::report::text::printable;

/// A plain text message.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    text: String,
}

impl Message {
    /// Text that may hold anything. Braces are doubled (§3.11.5), or they would be placeholders; a link is nothing without its
    /// `](` (§3.11.6), which is taken apart, since viewers differ in what a backslash before a bracket does.
    pub(super) fn of(text: &str) -> Self {
        Self { text: printable(text).replace('{', "{{").replace('}', "}}").replace("](", "] (") }
    }
}

/// Where a result or a notification stands: on a line, and in the deployment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Debug, Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

impl Location {
    /// Of a key, or of a user without one.
    pub(super) fn of(record: &Record, location: &SourceLocation) -> Self {
        let user = record.user_id.or(record.username).unwrap_or_default();
        let (name, kind) = match record.key_id {
            Some(key) => (key, "personalApiKey"),
            None => (user, "user"),
        };
        let way = [Some(record.deployment), record.org_id, Some(user), record.key_id];
        let way: Vec<_> = way.into_iter().flatten().map(printable).collect();
        Self {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri: location.uri() },
                region: Region { start_line: location.line },
            },
            logical_locations: [LogicalLocation {
                name: printable(name),
                fully_qualified_name: way.join("::"),
                kind,
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_a_placeholder_or_a_link() {
        for (text, expected) in [
            ("{0} [a](1) [b](http://e)", "{{0}} [a] (1) [b] (http://e)"),
            ("\\[c\\](sarif:/runs/0)", "\\[c\\] (sarif:/runs/0)"),
            ("[ci] (a)\n\u{202e}", "[ci] (a) \\u{{202e}}"),
        ] {
            assert_eq!(Message::of(text).text, expected);
        }
    }
}
