//! Numbers and texts one after the other as bytes, for records that are sorted on disk.

use std::io;

/// Adds a number, or that there is none.
pub(crate) fn pack_number(record: &mut Vec<u8>, number: Option<i64>) {
    let Some(number) = number else { return record.push(0) };
    let mut bytes = [1; 9];
    bytes[1..].copy_from_slice(&number.to_le_bytes());
    record.extend_from_slice(&bytes);
}

/// Adds bytes, or that there are none.
pub(crate) fn pack_bytes(record: &mut Vec<u8>, bytes: Option<&[u8]>) {
    pack_number(record, bytes.map(|bytes| bytes.len() as u64).map(u64::cast_signed));
    record.extend_from_slice(bytes.unwrap_or_default());
}

/// Adds a text, or that there is none.
pub(crate) fn pack_text(record: &mut Vec<u8>, text: Option<&str>) {
    pack_bytes(record, text.map(str::as_bytes));
}

/// What was packed and not read yet.
pub(crate) struct Packed<'a>(pub(crate) &'a [u8]);

impl<'a> Packed<'a> {
    /// # Errors
    /// There is no number here.
    pub(crate) fn number(&mut self) -> io::Result<Option<i64>> {
        match self.take(1)? {
            [0] => Ok(None),
            _ => Ok(Some(i64::from_le_bytes(self.take(8)?.try_into().map_err(|_| damaged())?))),
        }
    }

    /// # Errors
    /// There are no bytes here.
    pub(crate) fn bytes(&mut self) -> io::Result<Option<&'a [u8]>> {
        let Some(length) = self.number()? else { return Ok(None) };
        self.take(usize::try_from(length).map_err(|_| damaged())?).map(Some)
    }

    /// # Errors
    /// There is no text here.
    pub(crate) fn text(&mut self) -> io::Result<Option<&'a str>> {
        let bytes = self.bytes()?;
        bytes.map(|bytes| str::from_utf8(bytes).map_err(|_| damaged())).transpose()
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The bytes are not what was packed.
pub(crate) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the temporary file was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_read_back_and_less_is_an_error() {
        let mut record = Vec::new();
        for number in [None, Some(0), Some(-1), Some(i64::MIN), Some(i64::MAX)] {
            pack_number(&mut record, number);
        }
        for text in [None, Some(""), Some("é\0")] {
            pack_text(&mut record, text);
        }
        pack_bytes(&mut record, Some(b"\xff"));
        let read = |record| {
            let mut packed = Packed(record);
            let numbers = [(); 5].map(|()| packed.number());
            let texts = [(); 3].map(|()| packed.text());
            let bytes = packed.bytes()?;
            let numbers = numbers.into_iter().collect::<io::Result<Vec<_>>>()?;
            Ok::<_, io::Error>((numbers, texts.into_iter().collect::<io::Result<Vec<_>>>()?, bytes))
        };
        let (numbers, texts, bytes) = read(&record).unwrap();
        assert_eq!(numbers, [None, Some(0), Some(-1), Some(i64::MIN), Some(i64::MAX)]);
        assert_eq!(texts, [None, Some(""), Some("é\0")]);
        assert_eq!(bytes, Some(&b"\xff"[..]));
        for length in 0..record.len() {
            assert!(read(&record[..length]).is_err(), "{length} bytes");
        }
    }
}
