//! The values of settings, in the same words on the command line and in TOML.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Timelike as _, Utc};
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, ValueEnum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use url::{ParseError, Url};

/// A day (its first instant, UTC) or a time. Without a fraction of a second: times of the service have none when they are
/// compared with it.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let time = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()))
        .map_err(|_| {
            "expected a day such as 2021-03-01, or a time such as 2021-03-01T00:00:00Z".to_owned()
        })?;
    if time.nanosecond() == 0 {
        Ok(time)
    } else {
        Err("expected a time without a fraction of a second".to_owned())
    }
}

/// A day.
pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    parsed.map_err(|_| "expected a day such as 2025-07-01".to_owned())
}

/// The number of a run in the run database.
pub(super) fn run_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected the number of a run; `keysunset history` lists the runs".to_owned())
}

/// The address of a deployment.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| match why {
        ParseError::RelativeUrlWithoutBase => "write it like https://om.example:8080".to_owned(),
        why => format!("{why}; write it like https://om.example:8080"),
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("write it like https://om.example:8080".to_owned());
    }
    Ok(url)
}

/// What reports call a deployment.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_blank = text.trim().is_empty();
    if is_blank { Err("a name, which is not blank".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "a number of seconds from 1 to 86400".to_owned())
}

pub(super) fn patience(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| "a number of seconds from 0 to 86400".to_owned())
}

pub(super) fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= 1024);
    number.ok_or_else(|| "a number from 1 to 1024".to_owned())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "requests a second, from 0.001 to 1000000".to_owned())
}

pub(super) fn retries(text: &str) -> Result<u32, String> {
    let retries = text.parse::<u32>().ok().filter(|retries| *retries <= 100);
    retries.ok_or_else(|| "a number from 0 to 100".to_owned())
}

/// A TOML value in the same words as on the command line.
pub(super) fn typed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    parse(&text)
        .map(Some)
        .map_err(|expected| serde::de::Error::custom(format!("{text}: expected {expected}")))
}

pub(super) fn concurrency_of<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroUsize>, D::Error> {
    typed(deserializer, concurrency)
}

pub(super) fn rate_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    typed(deserializer, rate)
}

pub(super) fn retries_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    typed(deserializer, retries)
}

pub(super) fn patience_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    typed(deserializer, patience)
}

pub(super) fn instant_of<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    typed(deserializer, instant)
}

pub(super) fn seconds_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    typed(deserializer, seconds)
}

pub(super) fn name_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    name(&text)
        .map(Some)
        .map_err(|expected| serde::de::Error::custom(format!("{text:?}: expected {expected}")))
}

/// One thing, or an array of them.
pub(super) fn one_or_more<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let all = match toml::Value::deserialize(deserializer)? {
        toml::Value::Array(all) => all,
        one => vec![one],
    };
    let each = all.into_iter().map(|one| one.try_into::<T>().map_err(serde::de::Error::custom));
    each.collect()
}

/// The names of an enum in one text, separated by commas, or in an array of texts.
pub(super) fn comma_separated<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let texts: Vec<String> = one_or_more(deserializer)?;
    let names = texts.iter().flat_map(|text| text.split(','));
    names.map(|name| name.trim().parse().map_err(serde::de::Error::custom)).collect()
}

/// A name of an enum with white space around it, as after the comma of `csv, markdown`.
#[derive(Clone)]
pub(super) struct Trimmed<T: ValueEnum + Clone + Send + Sync + 'static>(EnumValueParser<T>);

impl<T: ValueEnum + Clone + Send + Sync + 'static> Trimmed<T> {
    pub(super) fn new() -> Self {
        Self(EnumValueParser::new())
    }
}

impl<T: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for Trimmed<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let trimmed = value.to_str().map_or(value, |text| OsStr::new(text.trim()));
        self.0.parse_ref(command, flag, trimmed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}
