//! The surroundings of a command: the environment, the clock, and whether a person sees its output.

use std::ffi::OsString;

use chrono::{DateTime, Datelike as _, Utc};
use clap::ColorChoice;

use crate::exit::Error;

/// How a variable of the environment is looked up.
pub type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What every command gets besides its arguments.
pub struct Context<'a> {
    /// The environment.
    pub env: &'a Env<'a>,
    /// What "now" is.
    pub clock: Clock,
    /// Whether only reports, warnings and errors are wanted.
    pub quiet: bool,
}

impl<'a> Context<'a> {
    /// In this environment.
    ///
    /// # Errors
    /// A `SOURCE_DATE_EPOCH` that is no time of the years that all formats can have.
    pub fn new(env: &'a Env<'a>, quiet: bool) -> Result<Self, Error> {
        Ok(Self { env, clock: Clock::from_env(env)?, quiet })
    }

    /// Whether a CI server runs this. Then no person watches or answers.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        is_ci(self.env)
    }
}

/// Whether `CI` is set, and not to `false` or `0`.
pub(crate) fn is_ci(env: &Env) -> bool {
    env("CI").is_some_and(|ci| !matches!(ci.trim().to_lowercase().as_str(), "" | "false" | "0"))
}

/// Which output has colours: as `--color` has it, which has to be known before the arguments are parsed, since the errors of
/// that have colours. Otherwise the terminal, `NO_COLOR` and `CLICOLOR` decide, but the terminal of a CI server is a log.
/// `CLICOLOR_FORCE` asks for colours there too.
pub fn color(arguments: impl IntoIterator<Item = OsString>, env: &Env) -> ColorChoice {
    match typed_color(arguments.into_iter().take_while(|argument| argument != "--")) {
        None | Some(ColorChoice::Auto) => {
            let forced = env("CLICOLOR_FORCE").is_some_and(|force| force != "0");
            if is_ci(env) && !forced { ColorChoice::Never } else { ColorChoice::Auto }
        }
        Some(choice) => choice,
    }
}

fn typed_color(mut arguments: impl Iterator<Item = OsString>) -> Option<ColorChoice> {
    while let Some(argument) = arguments.next() {
        match argument.to_str().and_then(|argument| argument.strip_prefix("--color")) {
            Some("") => return arguments.next()?.to_str()?.parse().ok(),
            Some(value) if value.starts_with('=') => return value[1..].parse().ok(),
            Some(_) | None => {}
        }
    }
    None
}

/// RFC 3339 and spreadsheets have no later ones.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// What every "now" is: fixed by `SOURCE_DATE_EPOCH`, so that the same evidence gives the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Option<DateTime<Utc>>);

impl Clock {
    fn from_env(env: &Env) -> Result<Self, Error> {
        let Some(text) = env("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
            return Ok(Self(None));
        };
        let time = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        match time.filter(|time| YEARS.contains(&time.year())) {
            Some(time) => Ok(Self(Some(time))),
            None => Err(Error::input(format!(
                "SOURCE_DATE_EPOCH is {text:?}, not a number of seconds since 1970 and before the year 10000"
            ))
            .help("set it to the output of `date +%s`, or unset it")),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> DateTime<Utc> {
        self.0.unwrap_or_else(Utc::now)
    }

    /// The fixed now, if it is fixed.
    #[must_use]
    pub fn fixed(self) -> Option<DateTime<Utc>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ci_server_is_where_ci_is_set_to_anything_but_no() {
        for (value, is) in
            [("true", true), ("1", true), ("woodpecker", true), ("false", false), ("0", false), ("", false)]
        {
            assert_eq!(is_ci(&|_| Some(value.to_owned())), is, "{value}");
        }
        assert!(!is_ci(&|_| None));
    }

    #[test]
    fn what_is_typed_decides_about_colours_before_the_environment() {
        for (arguments, ci, force, choice) in [
            ("", None, None, ColorChoice::Auto),
            ("", Some("1"), None, ColorChoice::Never),
            ("", Some("1"), Some("0"), ColorChoice::Never),
            ("", Some("1"), Some("1"), ColorChoice::Auto),
            ("history --color always", Some("1"), None, ColorChoice::Always),
            ("--color=never history", None, Some("1"), ColorChoice::Never),
            ("--color auto history", Some("1"), None, ColorChoice::Never),
            ("--color=sometimes history", None, None, ColorChoice::Auto),
            ("history --colors --colorful=never", None, None, ColorChoice::Auto),
            ("history -- --color=never", None, None, ColorChoice::Auto),
            ("history --color", None, None, ColorChoice::Auto),
        ] {
            let env = |name: &str| if name == "CI" { ci } else { force }.map(str::to_owned);
            let typed = arguments.split_whitespace().map(OsString::from);
            assert_eq!(color(typed, &env), choice, "{arguments} {ci:?} {force:?}");
        }
    }
}
