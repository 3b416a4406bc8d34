//! Enums whose variants have a name outside: in a column, on the command line, in the configuration.

/// Declares an enum and, in one place, the outside name of each variant: `ALL`, `as_str`, `Display`, `FromStr`,
/// serde and clap's `ValueEnum` (with the doc comment as help) all read it.
macro_rules! named {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident { $(#[doc = $doc:literal] $Variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $Enum { $(#[doc = $doc] $Variant),+ }

        impl $Enum {
            /// Every variant, in the order of declaration.
            $vis const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// The name outside.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $name),+ }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $Enum {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|variant| variant.as_str() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|variant| variant.as_str()).collect();
                    format!("`{text}` is none of {}", names.join(", "))
                })
            }
        }

        impl serde::Serialize for $Enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name: String = serde::Deserialize::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }

        impl clap::ValueEnum for $Enum {
            fn value_variants<'a>() -> &'a [Self] {
                Self::ALL
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                let help = match self { $(Self::$Variant => $doc),+ };
                Some(clap::builder::PossibleValue::new(self.as_str()).help(help.trim()))
            }
        }
    };
}
