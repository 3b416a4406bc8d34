//! What holds for any file of addresses.

use super::{Column, Entry, csv_entries, json_entries};
use crate::input::{ListFormat, Problems};
use crate::network::Network;

/// A file of `--addresses`.
pub(crate) fn addresses(bytes: &[u8]) {
    let mut problems = Problems::new("addresses");
    let (format, list) =
        ListFormat::open(bytes, |name| Column::from_name(name).is_some()).expect("bytes in memory");
    let entries = match format {
        ListFormat::Csv { header, delimiter } => csv_entries(list, header, delimiter, &mut problems),
        ListFormat::Json => json_entries(list, &mut problems).unwrap_or_default(),
        ListFormat::Text => return,
    };
    for Entry { line, id, username: _, networks } in entries {
        assert!(line > 0 && id.is_none_or(|id| id.len() == 24) && !networks.is_empty());
        for network in networks {
            assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }
    }
}
