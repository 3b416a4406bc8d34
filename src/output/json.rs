//! Rows of JSON: the bytes of `serde_json`, in half of the time.

use std::io;

use serde::Serialize;
use serde_json::Error;

use super::row::{RowFormat, add_quoted, add_row};
use crate::bytes::{BACKSLASH, CONTROL, QUOTE, kinds};

/// Adds a value, without the end of its line.
pub(crate) fn add_json(row: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    Ok(add_row(row, Json, value)?)
}

#[derive(Clone, Copy)]
struct Json;

impl RowFormat for Json {
    fn text(self, row: &mut Vec<u8>, text: &str) -> Result<(), Error> {
        if kinds(text) & (CONTROL | QUOTE | BACKSLASH) == 0 {
            add_quoted(row, text);
            return Ok(());
        }
        serde_json::to_writer(row, text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    struct Row {
        text: String,
        other: Option<String>,
        numbers: (u64, i64, Option<u16>),
        is_true: bool,
        list: Vec<Row>,
        #[serde(flatten)]
        more: BTreeMap<String, Option<char>>,
    }

    proptest::proptest! {
        #[test]
        fn a_row_has_the_bytes_of_serde_json(
            texts: [String; 2],
            numbers: (u64, i64, Option<u16>),
            is_true: bool,
            more: BTreeMap<String, Option<char>>,
        ) {
            let [text, other] = texts;
            let row = |list| Row { text: text.clone(), other: Some(other.clone()), numbers, is_true, list, more: more.clone() };
            let row = row(vec![row(Vec::new()), Row { other: None, ..row(Vec::new()) }]);
            let mut written = b"x".to_vec();
            add_json(&mut written, &row).unwrap();
            let expected = format!("x{}", serde_json::to_string(&row).unwrap());
            proptest::prop_assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn what_no_row_has_is_an_error() {
        assert!(add_json(&mut Vec::new(), &0.5).is_err());
        assert!(add_json(&mut Vec::new(), &Ok::<_, ()>(1)).is_err());
    }
}
