//! `--upgrade-on`: which calls fail from the upgrade on if nothing changes, and by when the keys of each wave are replaced.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use super::inventory::Inventory;
use super::owner::{OwnerPlan, PlannedKey};
use super::wave::{Frequency, gap};

/// Owners and organizations that the page shows.
const SHOWN: usize = 10;

/// When the deployment is upgraded, seen from the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upgrade {
    pub(crate) on: NaiveDate,
    /// Of the run.
    pub(crate) now: DateTime<Utc>,
    pub(crate) verify_days: u32,
}

impl Upgrade {
    /// Whole days from the day of the run; 0: the same day.
    fn days_left(self) -> i64 {
        (self.on - self.now.date_naive()).num_days()
    }

    /// The days for which an old key has to be silent before it is verified, and whether these are left.
    fn days_needed(self, key: &PlannedKey) -> (i64, bool) {
        let gap = key.frequency.and_then(|frequency| gap(&key.key, frequency, self.now)).unwrap_or_default();
        let days = gap.max(i64::from(self.verify_days));
        (days, days <= self.days_left())
    }

    fn day_before(self, days: i64) -> Option<NaiveDate> {
        self.on.checked_sub_signed(TimeDelta::try_days(days)?)
    }

    /// The first call after the upgrade, if the calls continue as before.
    fn first_failure(self, key: &PlannedKey, frequency: Frequency) -> Option<NaiveDate> {
        let (upgrade, gap) = (self.on.and_time(NaiveTime::MIN).and_utc(), frequency.time_between()?);
        let last = key.key.last_use().unwrap_or(self.now);
        let wait = (upgrade - last).max(TimeDelta::zero()).num_seconds();
        let gap = gap.num_seconds().max(1);
        let calls = wait.checked_add(gap - 1)? / gap;
        let first = last.checked_add_signed(TimeDelta::try_seconds(calls.checked_mul(gap)?)?)?;
        Some(first.date_naive().max(self.on))
    }
}

/// Calls that fail.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Failures {
    #[serde(serialize_with = "hundredths")]
    pub(crate) calls_per_day: f64,
    /// Whether it is an estimate for one key at least.
    pub(crate) is_estimate: bool,
    /// `None`: no call is expected.
    pub(crate) first_failure: Option<NaiveDate>,
    /// Enabled keys of which it is not known if they are used, or how often.
    pub(crate) keys_unknown: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn hundredths<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 100.0).round() / 100.0)
}

impl Failures {
    /// Of one owner: keys that are disabled, or not used since the cutoff, make no calls.
    fn of_owner(plan: &OwnerPlan, upgrade: Upgrade) -> Self {
        let mut failures = Self::default();
        for key in plan.keys.iter().filter(|key| key.may_be_used()) {
            match key.frequency {
                None => failures.keys_unknown += 1,
                Some(frequency) if frequency.calls_a_day > 0.0 => failures.add(&Self {
                    calls_per_day: frequency.calls_a_day,
                    is_estimate: frequency.is_estimate,
                    first_failure: upgrade.first_failure(key, frequency),
                    keys_unknown: 0,
                }),
                Some(_) => {}
            }
        }
        failures
    }

    fn add(&mut self, other: &Self) {
        self.calls_per_day += other.calls_per_day;
        self.is_estimate |= other.is_estimate;
        self.first_failure = [self.first_failure, other.first_failure].into_iter().flatten().min();
        self.keys_unknown += other.keys_unknown;
    }
}

/// The part of one owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OwnerForecast {
    #[serde(flatten)]
    pub(crate) failures: Failures,
    /// The last day on which the scripts of the owner can be changed, so that the old keys can be verified before the
    /// upgrade; `None` where that is too late.
    pub(crate) change_by: Option<NaiveDate>,
}

impl OwnerForecast {
    pub(super) fn new(plan: &OwnerPlan, upgrade: Upgrade) -> Self {
        let needed = plan.keys.iter().filter(|key| key.wave.is_some()).map(|key| upgrade.days_needed(key));
        let days = needed.filter(|(_, fits)| *fits).map(|(days, _)| days).max();
        let change_by = days.and_then(|days| upgrade.day_before(days));
        Self { failures: Failures::of_owner(plan, upgrade), change_by }
    }
}

/// The keys of a wave.
#[derive(Debug, Default, Serialize)]
pub(super) struct WaveForecast {
    wave: u8,
    keys: u64,
    /// Those that cannot be verified before the upgrade.
    too_late_keys: u64,
    /// The last day on which the others can be out of use; `None` where there are none.
    start_by: Option<NaiveDate>,
}

/// An organization; an owner of several counts in each.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct OrganizationForecast {
    /// `None`: owners without an organization.
    org_id: Option<String>,
    org_name: Option<String>,
    /// Owners whose calls fail.
    owners: u64,
    /// Owners of whom keys or roles are not known.
    owners_unknown: u64,
    #[serde(flatten)]
    failures: Failures,
}

/// An owner on the page.
#[derive(Debug, Serialize)]
struct ShownOwner {
    owner: String,
    #[serde(flatten)]
    failures: Failures,
}

/// Of all owners.
#[derive(Debug, Serialize)]
pub(super) struct Forecast {
    on: NaiveDate,
    days_left: i64,
    /// The last day on which the migration can begin; `None` where no key can be verified in time.
    start_by: Option<NaiveDate>,
    too_late_keys: u64,
    owners: u64,
    owners_unknown: u64,
    #[serde(flatten)]
    failures: Failures,
    organizations: Vec<OrganizationForecast>,
    waves: Vec<WaveForecast>,
    #[serde(skip)]
    top_owners: Vec<ShownOwner>,
}

/// The forecast under way.
pub(super) struct ForecastBuilder {
    upgrade: Upgrade,
    total: OrganizationForecast,
    organizations: BTreeMap<Option<String>, OrganizationForecast>,
    waves: BTreeMap<u8, WaveForecast>,
    /// Most calls first.
    owners: Vec<ShownOwner>,
}

/// What the page shows of it.
#[derive(Serialize)]
pub(super) struct ForecastPage<'a> {
    #[serde(flatten)]
    forecast: &'a Forecast,
    top_organizations: Vec<&'a OrganizationForecast>,
    top_owners: &'a [ShownOwner],
}

impl ForecastBuilder {
    pub(super) fn new(upgrade: Upgrade) -> Self {
        let (organizations, waves) = (BTreeMap::new(), BTreeMap::new());
        Self { upgrade, total: OrganizationForecast::default(), organizations, waves, owners: Vec::new() }
    }

    pub(super) fn add(&mut self, plan: &OwnerPlan, inventory: &Inventory) {
        let Some(OwnerForecast { failures, .. }) = &plan.forecast else { return };
        self.total.add(plan, failures);
        let mut ids: Vec<_> = plan.user.origin.organizations().map(|id| Some(id.to_owned())).collect();
        if ids.is_empty() {
            ids.push(None);
        }
        for id in ids {
            let name = id.as_deref().and_then(|id| inventory.organization(id)).and_then(|it| it.name.clone());
            let new = || OrganizationForecast { org_id: id.clone(), org_name: name, ..Default::default() };
            self.organizations.entry(id.clone()).or_insert_with(new).add(plan, failures);
        }
        plan.keys.iter().for_each(|key| self.add_to_wave(key));
        if failures.calls_per_day > 0.0 {
            self.owners.push(ShownOwner { owner: plan.user.label().to_owned(), failures: failures.clone() });
            self.owners.sort_by(|a, b| most_calls(&a.failures, &b.failures));
            self.owners.truncate(SHOWN);
        }
    }

    fn add_to_wave(&mut self, key: &PlannedKey) {
        let Some(wave) = key.wave else { return };
        let (days, fits) = self.upgrade.days_needed(key);
        let entry = self.waves.entry(wave).or_insert_with(|| WaveForecast { wave, ..Default::default() });
        entry.keys += 1;
        if fits {
            entry.start_by = [entry.start_by, self.upgrade.day_before(days)].into_iter().flatten().min();
        } else {
            entry.too_late_keys += 1;
        }
    }

    pub(super) fn end(self) -> Forecast {
        let waves: Vec<_> = self.waves.into_values().collect();
        Forecast {
            on: self.upgrade.on,
            days_left: self.upgrade.days_left(),
            start_by: waves.iter().filter_map(|wave| wave.start_by).min(),
            too_late_keys: waves.iter().map(|wave| wave.too_late_keys).sum(),
            owners: self.total.owners,
            owners_unknown: self.total.owners_unknown,
            failures: self.total.failures,
            organizations: self.organizations.into_values().collect(),
            waves,
            top_owners: self.owners,
        }
    }
}

impl OrganizationForecast {
    fn add(&mut self, plan: &OwnerPlan, failures: &Failures) {
        self.owners += u64::from(failures.calls_per_day > 0.0);
        self.owners_unknown += u64::from(plan.unknown.is_some());
        self.failures.add(failures);
    }
}

impl Forecast {
    pub(super) fn page(&self) -> ForecastPage<'_> {
        let mut top: Vec<_> = self.organizations.iter().collect();
        top.sort_by(|a, b| most_calls(&a.failures, &b.failures));
        top.truncate(SHOWN);
        ForecastPage { forecast: self, top_organizations: top, top_owners: &self.top_owners }
    }
}

/// Stable, so that equals stay in the order of the run.
fn most_calls(a: &Failures, b: &Failures) -> std::cmp::Ordering {
    b.calls_per_day.total_cmp(&a.calls_per_day)
}
