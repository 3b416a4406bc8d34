//! Encodings of text, each in a file. A decoder finds where text of its encoding is, decodes it, has it searched like any
//! other text, and takes what was found back to the bytes that were decoded.

pub(super) mod base64;
pub(super) mod escape;
pub(super) mod lines;
pub(super) mod wide;

/// How a key is encoded in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// RFC 4648, section 4.
    Base64,
    /// RFC 4648, section 5: `-` and `_` in place of `+` and `/`.
    Base64Url,
    /// Of either byte order.
    Utf16,
    /// Of either byte order.
    Utf32,
    /// `%2D`, `%u002D`.
    Percent,
    /// `\u002d`, `\x2d`.
    UnicodeEscape,
    /// `&#45;`, `&#x2d;`.
    Html,
    /// `=3D` before the key, or `=` at the end of a line in it.
    QuotedPrintable,
    /// `\` at the end of a line in the key.
    LineContinuation,
}

impl Encoding {
    /// In the column `encoding`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
            Self::Percent => "percent",
            Self::UnicodeEscape => "unicode-escape",
            Self::Html => "html",
            Self::QuotedPrintable => "quoted-printable",
            Self::LineContinuation => "line-continuation",
        }
    }
}

/// Encodings from the outer to the inner one. The last of [`MAX_DEPTH`] decoders still leaves room for an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chain([Option<Encoding>; MAX_DEPTH + 1]);

/// So many encodings of text may lie in one another.
pub(super) const MAX_DEPTH: usize = 4;

impl Chain {
    /// With an outer encoding.
    pub(super) fn within(self, outer: Encoding) -> Self {
        let mut chain = Self::default();
        chain.0[0] = Some(outer);
        chain.0[1..].copy_from_slice(&self.0[..MAX_DEPTH]);
        chain
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Encoding> {
        self.0.into_iter().flatten()
    }

    pub(super) fn len(self) -> usize {
        self.iter().count()
    }
}
