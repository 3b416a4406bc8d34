//! How long an audit takes: from how long one answer takes, how many users there are, and how hard it may ask.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::step::{Step, StepResult};
use crate::client::{Client, PAGE, UserSample};
use crate::console::duration;
use crate::exit::Error;
use crate::model::User;
use crate::sources::CheckedSource;

/// Requests that are measured.
const MEASURED: usize = 10;
/// Organizations that are asked for their size; the others count as the average of these.
const SIZED: usize = 50;
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
    sources: &[CheckedSource],
    user: Option<&User>,
) -> Result<Vec<StepResult>, Error> {
    let mut taken = match client.latencies(user, MEASURED).await {
        Ok(taken) => taken,
        Err(why) => {
            let found = format!("one of {MEASURED} requests did not come back: {why}");
            return Ok(vec![Step::Latency.warning(
                found,
                "the audit asks again up to --retries times; raise --timeout if the deployment is slow",
            )]);
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
    let users = count(client, sources).await?;
    Ok(vec![latency, forecast(users.as_ref(), median, pace)])
}

/// How many users there are to read.
#[derive(Debug, PartialEq, Eq)]
struct UserCount {
    users: u64,
    /// Whether it is estimated from the first users of some lists.
    is_estimate: bool,
}

/// `None` where no source is given, or the service does not say.
async fn count(client: &Client, sources: &[CheckedSource]) -> Result<Option<UserCount>, Error> {
    let mut samples = Samples::default();
    for source in sources {
        let sample = match source {
            CheckedSource::List(list) => {
                samples.named += list.count();
                continue;
            }
            CheckedSource::User(_) => {
                samples.named += 1;
                continue;
            }
            CheckedSource::Project(id) => client.project_sample(id).await?,
            CheckedSource::Organization(id) => client.organization_sample(id).await?,
            CheckedSource::AllOrganizations => {
                let Some(all) = all_users(client).await? else { return Ok(None) };
                samples.merge(all);
                continue;
            }
        };
        match sample {
            Some(sample) => samples.add(sample),
            None => return Ok(None),
        }
    }
    Ok((!sources.is_empty()).then(|| samples.count()))
}

async fn all_users(client: &Client) -> Result<Option<Samples>, Error> {
    let (organizations, outcome) = client.organizations().await?;
    if !outcome.status.is_complete() {
        return Ok(None);
    }
    let (mut samples, mut sized) = (Samples::default(), 0);
    for organization in organizations.iter().take(SIZED) {
        if let Some(sample) = client.organization_sample(&organization.id).await? {
            samples.add(sample);
            sized += 1;
        }
    }
    samples.listed = (samples.listed * organizations.len() as u64).checked_div(sized).unwrap_or_default();
    Ok((sized > 0).then_some(samples))
}

/// The first users of each list, so that a user of several counts once.
#[derive(Default)]
struct Samples {
    /// Users that were named, or are in a file.
    named: u64,
    /// Users of all lists, each as often as it is in one.
    listed: u64,
    /// Rows of the first pages.
    rows: u64,
    /// The ids in these rows.
    ids: HashSet<String>,
}

impl Samples {
    fn add(&mut self, UserSample { ids, total }: UserSample) {
        self.listed += total;
        self.rows += ids.len() as u64;
        self.ids.extend(ids);
    }

    fn merge(&mut self, other: Self) {
        self.named += other.named;
        self.listed += other.listed;
        self.rows += other.rows;
        self.ids.extend(other.ids);
    }

    /// The lists have as large a share of different users as their first pages.
    fn count(&self) -> UserCount {
        let different = (self.listed * self.ids.len() as u64).checked_div(self.rows).unwrap_or(self.listed);
        UserCount { users: self.named + different, is_estimate: self.listed != self.rows }
    }
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

    #[test]
    fn a_user_of_several_lists_counts_once() {
        let sample =
            |ids: &[&str], total| UserSample { ids: ids.iter().map(|id| (*id).to_owned()).collect(), total };
        let mut samples = Samples { named: 1, ..Samples::default() };
        samples.add(sample(&["a", "b"], 2));
        samples.add(sample(&["b", "c"], 2));
        assert_eq!(samples.count(), UserCount { users: 1 + 3, is_estimate: false });
        // Half of the rows of the first pages are of users that were there already.
        samples.add(sample(&["a", "b"], 994));
        assert_eq!(samples.count(), UserCount { users: 1 + 499, is_estimate: true });
        assert_eq!(Samples::default().count(), UserCount { users: 0, is_estimate: false });
    }
}
