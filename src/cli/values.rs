//! The values of settings, in the same words on the command line and in TOML.

use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use url::Url;

/// A day (its first instant, UTC) or a time.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()))
        .map_err(|_| "a day such as 2021-03-01, or a time such as 2021-03-01T00:00:00Z".to_owned())
}

/// The address of a deployment.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("{why}; write it like https://om.example:8080"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("write it like https://om.example:8080".to_owned());
    }
    Ok(url)
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
