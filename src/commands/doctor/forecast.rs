//! How long an audit takes: from how long one answer takes, how many users there are, and how hard it may ask.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::lists::UserCount;
use super::step::{Step, StepResult};
use crate::client::{Client, PAGE};
use crate::console::duration;
use crate::model::User;

/// Requests that are measured.
const MEASURED: usize = 10;
const SLOW: Duration = Duration::from_secs(2);

/// How hard the audit may ask.
pub(super) struct Pace {
    pub(super) concurrency: NonZeroUsize,
    pub(super) rate: Option<f64>,
}

/// Measures how long an answer takes, and forecasts how long an audit does.
pub(super) async fn results(
    client: &Client,
    pace: &Pace,
    users: Option<&UserCount>,
    user: Option<&User>,
) -> Vec<StepResult> {
    let mut taken = match client.latencies(user, MEASURED).await {
        Ok(taken) => taken,
        Err(why) => {
            let found = format!("one of {MEASURED} requests did not come back: {why}");
            return vec![Step::Latency.warning(
                found,
                "the audit asks again up to --retries times; raise --timeout if the deployment is slow",
            )];
        }
    };
    taken.sort_unstable();
    let (least, median) = (taken[0], taken[taken.len() / 2]);
    let most = taken[taken.len() - 1];
    let found = format!(
        "{} a request: the median of {MEASURED}, from {} to {}",
        duration(median),
        duration(least),
        duration(most)
    );
    let latency = if median > SLOW {
        Step::Latency.warning(found, "the deployment is slow: a low --concurrency spares it")
    } else {
        Step::Latency.ok(found)
    };
    vec![latency, forecast(users, median, pace)]
}

fn forecast(users: Option<&UserCount>, latency: Duration, pace: &Pace) -> StepResult {
    let (count, scope) = match users {
        Some(UserCount { users: 0, .. }) => {
            return Step::Forecast.failed(
                "no users to audit: the lists are empty",
                "check the IDs and the lists; an audit without users ends with exit code 5",
            );
        }
        Some(UserCount { users, is_estimate: false }) => (*users, format!("for {users} users at most")),
        Some(UserCount { users, is_estimate: true }) => (*users, format!("for about {users} users")),
        None => (1000, "per 1,000 users".to_owned()),
    };
    let concurrency = pace.concurrency.get();
    let [least, most] = bounds(count, latency, concurrency, pace.rate).map(duration);
    let pace = pace.rate.map_or_else(String::new, |rate| format!(", at most {rate} a second"));
    let found = if least == most {
        format!("{most} {scope}{pace}, at the measured latency")
    } else {
        format!("{least} ({concurrency} requests at once) to {most} (one after the other) {scope}{pace}")
    };
    Step::Forecast.ok(found)
}

/// One request a user; the lists themselves are one for each page.
fn bounds(users: u64, latency: Duration, concurrency: usize, rate: Option<f64>) -> [Duration; 2] {
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    let (requests, concurrency) = ((users + users.div_ceil(PAGE as u64)) as f64, concurrency as f64);
    let by_rate = rate.map_or(0.0, |rate| requests / rate);
    let one_by_one = requests * latency.as_secs_f64();
    [one_by_one / concurrency, one_by_one]
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(by_rate)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_bounds_what_concurrency_promises() {
        let bounds = |users, concurrency, rate| {
            bounds(users, Duration::from_millis(100), concurrency, rate).map(|time| time.as_secs())
        };
        assert_eq!(bounds(10_000, 10, None), [100, 1004]);
        assert_eq!(bounds(10_000, 10, Some(20.0)), [502, 1004]);
        assert_eq!(bounds(10_000, 10, Some(1.0)), [10_040, 10_040]);
        assert_eq!(bounds(0, 10, None), [0, 0]);
    }
}
