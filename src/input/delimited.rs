//! Which sign parts the columns of a table that a spreadsheet wrote.

/// Of these signs the one that stands most often in the header; the first, where none does. Spreadsheets of half the world
/// write `;`, and some write tabs.
pub(crate) fn delimiter(header: &str, signs: &[u8]) -> u8 {
    let count = |sign: u8| header.bytes().filter(|byte| *byte == sign).count();
    // Of several equals `max_by_key` takes the last.
    signs.iter().rev().copied().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_sign_wins_and_the_first_of_equals() {
        let signs = b",;\t";
        for (header, sign) in [("a", b','), ("a;b,c", b','), ("a;b;c,d", b';'), ("a\tb", b'\t'), ("", b',')] {
            assert_eq!(delimiter(header, signs), sign, "{header}");
        }
    }
}
