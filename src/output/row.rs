//! Rows of CSV and JSON, from the values that serde names. The crates of both formats look at every byte of a text, which was a
//! quarter of the time of a report; here a text without anything to escape is copied.
//!
//! A row has objects, lists, texts, whole numbers and truth values, and nothing else.

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    Serializer,
};
use serde_json::Error;

/// How a format has what is in a row; as JSON has it where a format does not say.
pub(crate) trait RowFormat: Copy {
    /// The begin and end of an object, and of a list.
    const OBJECT: [&'static [u8]; 2] = [b"{", b"}"];
    const LIST: [&'static [u8]; 2] = [b"[", b"]"];
    /// In place of a missing value.
    const NONE: &'static [u8] = b"null";

    /// Between two values.
    fn separator(self) -> u8 {
        b','
    }

    /// Adds the name of a field, which has nothing to escape.
    fn name(self, row: &mut Vec<u8>, name: &'static str) {
        add_quoted(row, name);
        row.push(b':');
    }

    /// Adds what is between the key and the value of a map.
    fn after_key(self, row: &mut Vec<u8>) {
        row.push(b':');
    }

    fn text(self, row: &mut Vec<u8>, text: &str) -> Result<(), Error>;
}

/// Adds a text between quotes.
pub(crate) fn add_quoted(row: &mut Vec<u8>, text: &str) {
    row.reserve(text.len() + 2);
    row.push(b'"');
    row.extend_from_slice(text.as_bytes());
    row.push(b'"');
}

/// Adds a row, without the end of its line.
pub(crate) fn add_row(
    row: &mut Vec<u8>,
    format: impl RowFormat,
    value: &(impl Serialize + ?Sized),
) -> Result<(), Error> {
    value.serialize(RowSerializer { row, format })
}

struct RowSerializer<'a, F> {
    row: &'a mut Vec<u8>,
    format: F,
}

impl<'a, F: RowFormat> RowSerializer<'a, F> {
    fn reborrow(&mut self) -> RowSerializer<'_, F> {
        RowSerializer { row: self.row, format: self.format }
    }

    fn values(self, [begin, end]: [&'static [u8]; 2]) -> Values<'a, F> {
        self.row.extend_from_slice(begin);
        Values { to: self, end, is_first: true }
    }
}

macro_rules! whole_numbers {
    ($($serialize:ident: $Number:ty),+ $(,)?) => {$(
        fn $serialize(self, number: $Number) -> Result<(), Error> {
            serde_json::to_writer(self.row, &number)
        }
    )+};
}

/// An error, because no row has a value of this kind.
fn no_row_has<T>(kind: &str) -> Result<T, Error> {
    Err(Error::custom(format_args!("no row has {kind}")))
}

impl<'a, F: RowFormat> Serializer for RowSerializer<'a, F> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Values<'a, F>;
    type SerializeTuple = Values<'a, F>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Values<'a, F>;
    type SerializeStruct = Values<'a, F>;
    type SerializeStructVariant = Impossible<(), Error>;

    whole_numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
    }

    fn serialize_bool(self, is_true: bool) -> Result<(), Error> {
        self.row.extend_from_slice(if is_true { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), Error> {
        no_row_has("fractions")
    }

    fn serialize_f64(self, _: f64) -> Result<(), Error> {
        no_row_has("fractions")
    }

    fn serialize_char(self, c: char) -> Result<(), Error> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.format.text(self.row, text)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        no_row_has("bytes")
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.row.extend_from_slice(F::NONE);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        no_row_has("variants")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Values<'a, F>, Error> {
        Ok(self.values(F::LIST))
    }

    fn serialize_tuple(self, _: usize) -> Result<Values<'a, F>, Error> {
        Ok(self.values(F::LIST))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        no_row_has("tuples with a name")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        no_row_has("variants")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Values<'a, F>, Error> {
        Ok(self.values(F::OBJECT))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Values<'a, F>, Error> {
        Ok(self.values(F::OBJECT))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        no_row_has("variants")
    }
}

/// The values of an object or a list.
struct Values<'a, F> {
    to: RowSerializer<'a, F>,
    end: &'static [u8],
    is_first: bool,
}

impl<F: RowFormat> Values<'_, F> {
    fn next(&mut self) -> RowSerializer<'_, F> {
        if !self.is_first {
            self.to.row.push(self.to.format.separator());
        }
        self.is_first = false;
        self.to.reborrow()
    }

    fn finish(self) {
        self.to.row.extend_from_slice(self.end);
    }
}

impl<F: RowFormat> SerializeSeq for Values<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl<F: RowFormat> SerializeTuple for Values<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl<F: RowFormat> SerializeMap for Values<'_, F> {
    type Ok = ();
    type Error = Error;

    /// A key is a text.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        key.serialize(self.next())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.to.format.after_key(self.to.row);
        value.serialize(self.to.reborrow())
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl<F: RowFormat> SerializeStruct for Values<'_, F> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let to = self.next();
        to.format.name(to.row, name);
        value.serialize(to)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}
