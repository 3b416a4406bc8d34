//! How keys are classified: verdict, severity, action and reason. Pure: the clock is a field.

use std::fmt::{self, Write as _};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use crate::model::{PersonalKey, Rfc3339};

named! {
    /// What is known about the use of a key.
    pub enum Verdict {
        /// Used at or after the cutoff
        UsedAfterCutoff = "used-after-cutoff",
        /// Last used before the cutoff
        NotUsedSinceCutoff = "not-used-since-cutoff",
        /// Never used
        NeverUsed = "never-used",
        /// Last use unknown
        UsageUnknown = "usage-unknown",
    }
}

named! {
    /// How urgent a key is, worst first.
    pub enum Severity {
        /// Enabled and used recently
        Critical = "critical",
        /// Enabled and used after the cutoff, not recently
        High = "high",
        /// Enabled, last use unknown
        Medium = "medium",
        /// Enabled, not used since the cutoff or never used
        Low = "low",
        /// Disabled
        Info = "info",
    }
}

named! {
    /// What to do about a key.
    pub enum Action {
        /// Replace it with a programmatic API key, then delete it
        Migrate = "migrate",
        /// Find out whether it is in use
        Investigate = "investigate",
        /// Disable it, wait, then delete it
        DisableAndDelete = "disable-and-delete",
        /// Delete it
        Delete = "delete",
    }
}

named! {
    /// Which keys are findings.
    pub enum FailOn {
        /// All personal keys
        Any = "any",
        /// Enabled keys
        Enabled = "enabled",
        /// Keys used after the cutoff, and keys of unknown use
        Used = "used",
        /// Severity high or critical, and enabled keys of unknown use
        High = "high",
        /// Severity critical
        Critical = "critical",
        /// No keys
        Never = "never",
    }
}

impl Severity {
    /// The action of all keys of this severity.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Critical | Self::High => Action::Migrate,
            Self::Medium => Action::Investigate,
            Self::Low => Action::DisableAndDelete,
            Self::Info => Action::Delete,
        }
    }
}

impl FailOn {
    /// Whether a key is a finding, judged as `verdict` and `severity`. A key of unknown use never counts as unused.
    #[must_use]
    pub fn counts(self, key: &PersonalKey, verdict: Verdict, severity: Severity) -> bool {
        match self {
            Self::Any => true,
            Self::Enabled => key.is_enabled(),
            Self::Used => matches!(verdict, Verdict::UsedAfterCutoff | Verdict::UsageUnknown),
            // `medium` is what an enabled key of unknown use gets.
            Self::High => matches!(severity, Severity::Critical | Severity::High | Severity::Medium),
            Self::Critical => severity == Severity::Critical,
            Self::Never => false,
        }
    }
}

/// The two settings of the policy, and the time it is applied at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Start of the run by the clock that uses are dated by: ages and recent use count from here.
    pub now: DateTime<Utc>,
    /// A use at or after this instant counts as after.
    pub cutoff: DateTime<Utc>,
    /// In days: a use within this time makes an enabled key `critical`.
    pub active_within: u32,
}

/// In seconds: a smaller difference of two clocks is not reported. A `Date` header has whole seconds and some latency.
pub const CLOCK_TOLERANCE: i64 = 30;

/// In seconds: no clock in use is off by more than a year. What claims to be is a `Date` that a proxy made up.
const MAX_CLOCK_SKEW: i64 = 366 * 86_400;

/// Whether a `Date` so many seconds ahead of our clock can be one by the deployment's.
#[must_use]
pub fn is_plausible_skew(ahead: i64) -> bool {
    ahead.unsigned_abs() <= MAX_CLOCK_SKEW.unsigned_abs()
}

/// How far the deployment's clock was ahead of ours, in seconds, where that counts: neither within the tolerance nor
/// implausible.
#[must_use]
pub fn clock_difference(ahead: Option<i64>) -> Option<i64> {
    ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_TOLERANCE.unsigned_abs() && is_plausible_skew(*ahead))
}

/// The start of a run by the clock that uses are dated by. `ahead` is how far the deployment's clock was ahead of ours, in
/// seconds; within the tolerance, and where that is implausible, our own counts.
#[must_use]
pub fn deployment_now(started_at: DateTime<Utc>, ahead: Option<i64>) -> DateTime<Utc> {
    let ahead = clock_difference(ahead).and_then(TimeDelta::try_seconds).unwrap_or_default();
    started_at.checked_add_signed(ahead).unwrap_or(started_at)
}

/// The result of the policy for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What is known about its use.
    pub verdict: Verdict,
    /// How urgent it is.
    pub severity: Severity,
    /// What to do about it.
    pub action: Action,
    /// The reason, with its arithmetic.
    pub reason: String,
}

impl Policy {
    /// Judges one key.
    #[must_use]
    pub fn judge(&self, key: &PersonalKey) -> Judgement {
        let verdict = self.verdict(key);
        let severity = self.severity_of(key, verdict);
        Judgement { verdict, severity, action: severity.action(), reason: self.reason(key) }
    }

    /// Only the severity, for counts during a run.
    #[must_use]
    pub fn severity(&self, key: &PersonalKey) -> Severity {
        self.severity_of(key, self.verdict(key))
    }

    /// What is known about the use of a key.
    #[must_use]
    pub fn verdict(&self, key: &PersonalKey) -> Verdict {
        match (key.last_use(), key.used_count) {
            (Some(last), _) if last >= self.cutoff => Verdict::UsedAfterCutoff,
            (Some(_), _) => Verdict::NotUsedSinceCutoff,
            (None, Some(0)) => Verdict::NeverUsed,
            (None, _) => Verdict::UsageUnknown,
        }
    }

    fn severity_of(&self, key: &PersonalKey, verdict: Verdict) -> Severity {
        if !key.is_enabled() {
            return Severity::Info;
        }
        match verdict {
            Verdict::UsedAfterCutoff if self.is_active(key) => Severity::Critical,
            Verdict::UsedAfterCutoff => Severity::High,
            Verdict::UsageUnknown => Severity::Medium,
            Verdict::NotUsedSinceCutoff | Verdict::NeverUsed => Severity::Low,
        }
    }

    fn is_active(&self, key: &PersonalKey) -> bool {
        let since = self
            .now
            .checked_sub_days(chrono::Days::new(self.active_within.into()))
            .unwrap_or(DateTime::<Utc>::MIN_UTC);
        key.last_use().is_some_and(|last| last >= since)
    }

    fn reason(&self, key: &PersonalKey) -> String {
        // It has room for most, and writing to a string can't fail.
        let mut reason = String::with_capacity(128);
        let _ = self.write_reason(key, &mut reason);
        reason
    }

    fn write_reason(&self, key: &PersonalKey, to: &mut String) -> fmt::Result {
        match (key.last_use(), key.used_count) {
            (Some(last), _) => {
                let (last_use, cutoff) = (Rfc3339::new(last), Rfc3339::new(self.cutoff));
                let cutoff = if is_midnight(self.cutoff) { cutoff.day() } else { cutoff.as_str() };
                let is_after = last >= self.cutoff;
                let (time, is) =
                    if is_after { (last - self.cutoff, "after") } else { (self.cutoff - last, "before") };
                write!(to, "last used {last_use}, {} {is} the cutoff {cutoff}", Days(time.num_days()))?;
                if is_after && self.is_active(key) {
                    write!(to, " and {} before the audit", Days(self.days_since(last)))?;
                }
            }
            (None, Some(0)) => to.push_str("never used: no last use, use count 0"),
            (None, Some(1)) => to.push_str("used once, time unknown"),
            (None, Some(count)) => write!(to, "used {count} times, time of last use unknown")?,
            (None, None) => to.push_str("last use and use count unknown"),
        }
        if let Some(last) = key.last_used.filter(|_| key.last_use().is_none()) {
            let is_epoch = last <= DateTime::UNIX_EPOCH;
            let why = if is_epoch { "not a time of use" } else { "before the creation of the key" };
            write!(to, "; lastUsed {} counts as missing: {why}", Rfc3339::new(last))?;
        }
        to.push_str(match key.enabled {
            Some(true) => "",
            Some(false) => "; disabled",
            None => "; enabled state unknown, treated as enabled",
        });
        Ok(())
    }

    /// Whole days from `time` to the run; 0 if `time` is later, for example because clocks differ.
    #[must_use]
    pub fn days_since(&self, time: DateTime<Utc>) -> i64 {
        (self.now - time).num_days().max(0)
    }
}

/// A time as people write it: `2021-03-01` at midnight, otherwise with the time of day.
#[must_use]
pub fn day_or_instant(time: DateTime<Utc>) -> String {
    let text = Rfc3339::new(time);
    if is_midnight(time) { text.day().to_owned() } else { text.as_str().to_owned() }
}

fn is_midnight(time: DateTime<Utc>) -> bool {
    time.time() == NaiveTime::MIN
}

/// `1 day`, `2 days`.
struct Days(i64);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "day" } else { "days" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn policy() -> Policy {
        Policy { now: at("2024-06-30T12:00:00Z"), cutoff: at("2021-03-01T00:00:00Z"), active_within: 90 }
    }

    fn key(enabled: Option<bool>, last_used: Option<&str>, used_count: Option<u64>) -> PersonalKey {
        PersonalKey {
            id: "5af9a1d29cc0cdb6acdca6d5".to_owned(),
            enabled,
            last_used: last_used.map(at),
            used_count,
            ..PersonalKey::default()
        }
    }

    /// The two tables of the contract, row by row.
    #[test]
    fn each_row_of_the_tables_holds() {
        use Action::{Delete, DisableAndDelete, Investigate, Migrate};
        use Severity::{Critical, High, Info, Low, Medium};
        use Verdict::{NeverUsed, NotUsedSinceCutoff, UsageUnknown, UsedAfterCutoff};
        let on = Some(true);
        let off = Some(false);
        for (enabled, last_used, used_count, verdict, severity, action) in [
            (on, Some("2024-06-01T00:00:00Z"), Some(7), UsedAfterCutoff, Critical, Migrate),
            (on, Some("2024-04-01T12:00:00Z"), Some(7), UsedAfterCutoff, Critical, Migrate),
            (on, Some("2024-04-01T11:59:59Z"), Some(7), UsedAfterCutoff, High, Migrate),
            (on, Some("2021-03-01T00:00:00Z"), Some(7), UsedAfterCutoff, High, Migrate),
            (on, Some("2021-02-28T23:59:59Z"), Some(7), NotUsedSinceCutoff, Low, DisableAndDelete),
            (on, Some("2021-02-28T23:59:59Z"), None, NotUsedSinceCutoff, Low, DisableAndDelete),
            (on, None, Some(0), NeverUsed, Low, DisableAndDelete),
            (on, None, Some(1), UsageUnknown, Medium, Investigate),
            (on, None, None, UsageUnknown, Medium, Investigate),
            (None, None, None, UsageUnknown, Medium, Investigate),
            (off, Some("2024-06-01T00:00:00Z"), Some(7), UsedAfterCutoff, Info, Delete),
            (off, Some("2018-06-01T00:00:00Z"), Some(7), NotUsedSinceCutoff, Info, Delete),
            (off, None, Some(0), NeverUsed, Info, Delete),
            (off, None, None, UsageUnknown, Info, Delete),
        ] {
            let judged = policy().judge(&key(enabled, last_used, used_count));
            assert_eq!(
                (judged.verdict, judged.severity, judged.action),
                (verdict, severity, action),
                "{judged:?}"
            );
        }
    }

    #[test]
    fn the_reason_shows_its_arithmetic() {
        let reason = |last, count| policy().judge(&key(Some(true), last, count)).reason;
        assert_eq!(
            reason(Some("2023-04-05T06:07:08Z"), Some(7)),
            "last used 2023-04-05T06:07:08Z, 765 days after the cutoff 2021-03-01"
        );
        assert_eq!(
            reason(Some("2018-05-14T14:45:23Z"), Some(7)),
            "last used 2018-05-14T14:45:23Z, 1021 days before the cutoff 2021-03-01"
        );
    }

    /// mondoohq/mql#9375: the zero time of a server's language, written for "not known".
    #[test]
    fn a_last_use_that_cannot_be_one_counts_as_missing() {
        let made = |created: Option<&str>, last, count| PersonalKey {
            created_at: created.map(at),
            ..key(Some(true), Some(last), count)
        };
        let created = Some("2018-05-14T14:45:22Z");
        for (key, verdict) in [
            (made(created, "0001-01-01T00:00:00Z", Some(7)), Verdict::UsageUnknown),
            (made(created, "2018-05-14T14:45:21Z", Some(7)), Verdict::UsageUnknown),
            (made(created, "2018-05-14T14:45:22Z", Some(7)), Verdict::NotUsedSinceCutoff),
            (made(created, "1970-01-01T00:00:00Z", None), Verdict::UsageUnknown),
            (made(created, "1970-01-01T00:00:00Z", Some(0)), Verdict::NeverUsed),
            (made(None, "1970-01-01T00:00:00Z", Some(7)), Verdict::UsageUnknown),
            (made(None, "1970-01-01T00:00:01Z", Some(7)), Verdict::NotUsedSinceCutoff),
            (made(Some("2024-01-01T00:00:00Z"), "2023-12-31T00:00:00Z", Some(7)), Verdict::UsageUnknown),
        ] {
            let judged = policy().judge(&key);
            assert_eq!(judged.verdict, verdict, "{key:?}");
            let explained = judged.reason.contains("counts as missing");
            assert_eq!(explained, verdict != Verdict::NotUsedSinceCutoff, "{}", judged.reason);
        }
    }

    #[test]
    fn activity_is_judged_by_the_deployments_clock_past_the_tolerance() {
        let start = at("2024-06-30T12:00:00Z");
        for (ahead, now) in [
            (None, "2024-06-30T12:00:00Z"),
            (Some(30), "2024-06-30T12:00:00Z"),
            (Some(-30), "2024-06-30T12:00:00Z"),
            (Some(31), "2024-06-30T12:00:31Z"),
            (Some(-86_400), "2024-06-29T12:00:00Z"),
            (Some(367 * 86_400), "2024-06-30T12:00:00Z"),
            (Some(i64::MAX), "2024-06-30T12:00:00Z"),
            (Some(i64::MIN), "2024-06-30T12:00:00Z"),
        ] {
            assert_eq!(deployment_now(start, ahead), at(now), "{ahead:?}");
        }
    }

    #[test]
    fn a_key_used_in_the_future_of_the_run_is_in_use() {
        let judged = policy().judge(&key(Some(true), Some("2024-07-01T00:00:00Z"), Some(7)));
        assert_eq!(judged.severity, Severity::Critical);
        assert_eq!(policy().days_since(at("2024-07-01T00:00:00Z")), 0);
    }

    #[test]
    fn an_endless_activity_window_makes_every_use_after_the_cutoff_critical() {
        let policy = Policy { active_within: u32::MAX, ..policy() };
        let judged = policy.judge(&key(Some(true), Some("2021-03-01T00:00:00Z"), None));
        assert_eq!(judged.severity, Severity::Critical);
    }
}
