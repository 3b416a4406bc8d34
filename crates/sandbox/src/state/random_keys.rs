//! The personal keys of the random world: the whole range of states that an audit has to distinguish.

use chrono::{DateTime, Utc};

use super::model::PersonalKey;
use crate::rng::{Rng, object_id, stream, uuid};

const FIRST_CREATED: i64 = 1_451_606_400; // 2016-01-01
const LAST_CREATED: i64 = 1_564_444_800; // 2019-07-30
const CUTOFF: i64 = 1_614_556_800; // 2021-03-01
const DAY: i64 = 86_400;

const DESCRIPTIONS: [&str; 16] = [
    "ci",
    "Staging Application",
    "Production Application",
    "backup cron on db-07",
    "terraform",
    "jenkins",
    "Grafana data source",
    "nightly export",
    "monitoring",
    "ansible playbooks",
    "onboarding script",
    "restore drill",
    "laptop",
    "billing report",
    "Puppet module",
    "k8s operator (old)",
];

/// What reports must cope with: separators, quotes, formulas, markup, line breaks, other scripts, and nothing at all.
const AWKWARD: [&str; 12] = [
    r#"ci, nightly ("the old one")"#,
    r#"=HYPERLINK("http://example.com/?x="&A1,"open")"#,
    "+1 for removal",
    "-1",
    "@ops",
    "a | b | c",
    "<script>alert('key')</script>",
    "first line\nsecond line\r\nthird",
    "🚀 déploiement – 本番",
    "[click](http://example.com/)",
    "tab\there",
    "",
];

/// A user's `nth` key. All times are before `day`, and follow from it, the seed and the numbers alone.
pub(crate) fn personal_key(seed: u64, user: u64, nth: u64, day: DateTime<Utc>) -> PersonalKey {
    let number = user * 16 + nth;
    let mut rng = Rng::new(seed, stream::PERSONAL_KEY, number);
    let now = day.timestamp();
    let created = rng.between(FIRST_CREATED, LAST_CREATED).min(now - DAY);
    let (used_count, last_used) = usage(&mut rng, created, now);
    let description = if rng.below(100) < 88 { rng.pick(&DESCRIPTIONS) } else { rng.pick(&AWKWARD) };
    // The first key of the first user is sure to work, where a deployment has no other credential to announce.
    let enabled = rng.below(100) < 80 || number == 0;
    let bits = rng.next_u64();
    // An odd factor keeps the last 12 digits of any two keys apart.
    let offset = Rng::new(seed, stream::PERSONAL_KEY, u64::MAX).next_u64();
    let node = number.wrapping_mul(0x5d58_8b65_6c07).wrapping_add(offset);
    PersonalKey {
        id: object_id(created, rng.next_u64()),
        description: description.to_owned(),
        enabled,
        created_at: at(created),
        last_used: last_used.map(|last_used| at(last_used.clamp(created, now - 1))),
        used_count,
        secret: uuid(bits, node),
    }
}

/// How often and when it was last used.
fn usage(rng: &mut Rng, created: i64, now: i64) -> (Option<u64>, Option<i64>) {
    let magnitude = rng.pick(&[10, 100, 1_000, 10_000, 100_000]);
    let count = Some(1 + rng.below(magnitude));
    let recent = now - 90 * DAY;
    match rng.below(100) {
        0..=21 => (Some(0), None),
        22..=47 => (count, Some(rng.between(created, CUTOFF))),
        48..=65 => (count, Some(rng.between(CUTOFF, recent))),
        66..=85 => (count, Some(rng.between(recent, now))),
        86..=89 => (count, None),
        90 => (None, None),
        91 => (None, Some(rng.between(created, now))),
        92..=93 => (count, Some(CUTOFF)),
        94..=95 => (count, Some(CUTOFF - 1)),
        _ => (Some(1), Some(created + 1)),
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}
