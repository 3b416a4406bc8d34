//! `keysunset explain`: everything that is known of one key, from its fields to the entry that would waive it.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Days, Utc};

use super::{judged_by, run_label};
use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::console::{Page, Text, print, style};
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::model::{PersonalKey, ReadStatus, Suffix, UserResult, object_id, rfc3339};
use crate::place::Place;
use crate::policy::{FailOn, Judgement, Policy, Severity, day_or_instant};
use crate::report::text::printable;
use crate::store::{KeyOccurrence, Run, Store};
use crate::waivers::{Target, Waiver, WaiverStatus, Waivers, entry_to_paste};

/// How far ahead the pasted entry ends, in days: a quarter is enough to move most keys, and short enough to be looked at again.
const TO_PASTE: Days = Days::new(90);

pub(crate) fn run(args: cli::Explain, context: &Context) -> Result<Exit, Error> {
    let cli::Explain { key, cutoff, active_within, waivers, store } = args;
    let policy = PolicyArgs { cutoff, active_within, waivers, ..PolicyArgs::default() };
    let settings = &ReportSettings::for_store(store, policy, context.env)?;
    let waivers = super::waivers(settings, context.clock)?;
    let store = Store::open(&settings.store)?;
    let occurrences = store.occurrences(&key)?;
    check_number(&occurrences, &key, &settings.store)?;
    let mut page = Page::default();
    // Newest first, one deployment after the other: two may have keys of the same id.
    let deployments: BTreeSet<_> = occurrences.iter().map(|seen| seen.run.deployment.as_str()).collect();
    for (index, deployment) in deployments.into_iter().enumerate() {
        if index > 0 {
            page.gap();
        }
        let seen: Vec<_> = occurrences.iter().filter(|seen| seen.run.deployment == deployment).collect();
        explain(&mut page, &store, &seen, settings, &waivers)?;
    }
    let mut text = page.into_text();
    let newest = &occurrences[0];
    let is_waived = waivers.of_key(&newest.key.id, &newest.run.deployment).is_some();
    if let Some(entry) = entry(newest, context.clock).filter(|_| !is_waived) {
        text.push_str("\nTo waive this key, add this entry to the waiver file and complete it:\n\n");
        text.push_str(&entry);
    }
    print(&text)?;
    Ok(Exit::Clean)
}

/// One key, in some run.
fn check_number(occurrences: &[KeyOccurrence], key: &str, store: &Path) -> Result<(), Error> {
    let ids: BTreeSet<_> = occurrences.iter().map(|seen| seen.key.id.to_ascii_lowercase()).collect();
    match ids.len() {
        0 => {
            Err(Error::input(format!("no run in {} contains key {}", store.display(), printable(key))).help(
                "copy the ID from the column key_id of keys.csv, or the last 12 digits from key_suffix; keys of \
                 users who were not read are unknown",
            ))
        }
        1 => Ok(()),
        _ => Err(Error::input(format!("several keys end in {}", printable(key)))
            .details(ids.iter().map(|id| printable(id)))
            .help("use the ID of one of these keys")),
    }
}

/// `None` where the file of waivers would not take the id.
fn entry(seen: &KeyOccurrence, clock: Clock) -> Option<String> {
    let expires = clock.now().date_naive().checked_add_days(TO_PASTE)?;
    let id = object_id(&seen.key.id)?;
    let comment = format!("{}, {}", owner(&seen.result), printable(&seen.key.description));
    Some(entry_to_paste(&Target::Key(id), expires, &comment))
}

/// What one deployment's runs have of it, newest first.
fn explain(
    page: &mut Page,
    store: &Store,
    seen: &[&KeyOccurrence],
    settings: &ReportSettings,
    waivers: &Waivers,
) -> Result<(), Error> {
    let KeyOccurrence { run, result, key } = seen[0];
    let policy = judged_by(run, settings);
    let judged = policy.judge(key);
    let waiver = waivers.of_key(&key.id, &run.deployment);
    page.line("key", printable(&key.id));
    fields(page, run, result, key, &policy);
    page.line("last seen", run_label(run));
    page.line("now", still_there(store, run, result, &key.id)?);
    page.line("verdict", judged.verdict.as_str());
    page.line("severity", Text::default().styled(style::severity(judged.severity), judged.severity.as_str()));
    page.line("action", judged.action.as_str());
    page.line("rule", rule(&policy, &judged));
    page.line("arithmetic", &judged.reason);
    page.lines("places", places(store, run, key)?);
    page.line("waiver", waiver_status(waiver, run.started_at));
    let counts = FailOn::ALL.iter().filter(|which| which.counts(key, judged.verdict, judged.severity));
    let counts: Vec<_> = counts.map(|which| which.as_str()).collect();
    let is_waived = waiver.is_some_and(|it| it.status(run.started_at) != WaiverStatus::Expired);
    let unless = if is_waived { "no, because of the waiver; otherwise " } else { "" };
    page.line("finding", format!("{unless}with --fail-on {}", counts.join(", ")));
    page.lines("history", seen.iter().map(|seen| past(seen, settings)));
    Ok(())
}

fn fields(page: &mut Page, run: &Run, result: &UserResult, key: &PersonalKey, policy: &Policy) {
    let unknown = || "unknown: the service did not report it".to_owned();
    let ago = |time| format!("{}, {} days before the run", rfc3339(time), policy.days_since(time));
    page.line("ends in", key.suffix.as_ref().map_or("unknown", Suffix::as_str));
    page.line("deployment", format!("{} ({})", printable(&run.deployment), run.product.title()));
    page.line("owner", owner(result));
    for organization in result.user.origin.organizations() {
        page.line("org", printable(organization));
    }
    page.line("description", printable(&key.description));
    page.line("enabled", key.enabled.map_or_else(unknown, |is| if is { "yes" } else { "no" }.to_owned()));
    page.line("created", key.created_at.map_or_else(unknown, ago));
    page.line("last used", key.last_used.map_or_else(unknown, ago));
    page.line("uses", key.used_count.map_or_else(unknown, |count| count.to_string()));
    if key.auditing {
        page.line("", "the audit itself used this key, which changed its last use and its use count");
    }
}

fn owner(result: &UserResult) -> String {
    let id = printable(result.user.id_or_empty());
    match &result.user.username {
        Some(name) => format!("{} ({id})", printable(name)),
        None => id,
    }
}

/// Places of a key that are shown.
const PLACES: usize = 10;

/// Where `locate` found the key: how often, and the first places, live ones first.
fn places(store: &Store, run: &Run, key: &PersonalKey) -> Result<Vec<String>, Error> {
    let suffix = key.suffix.as_ref();
    let found = store.search(run)?.and_then(|search| Some((search.counts(suffix)?, search, suffix?)));
    let Some((counts, search, suffix)) = found else {
        return Ok(vec!["unknown: `keysunset locate` did not search for it".to_owned()]);
    };
    let incomplete = if search.search.is_complete { "" } else { "; the search was incomplete" };
    let mut lines = vec![format!("{} live, {} in total{incomplete}", counts.live, counts.all)];
    let places = store.first_places(&search, suffix, PLACES)?;
    let line =
        |place: &Place| printable(&format!("{}: {} ({})", place.repository, place.label(), place.state));
    lines.extend(places.iter().map(line));
    if let Some(more @ 1..) = counts.all.checked_sub(PLACES as u64) {
        lines.push(format!("and {more} more"));
    }
    Ok(lines)
}

/// The row of the contract's table that it falls under.
fn rule(policy: &Policy, judged: &Judgement) -> String {
    let (cutoff, days) = (day_or_instant(policy.cutoff), policy.active_within);
    match judged.severity {
        Severity::Critical => {
            format!("enabled, used at or after {cutoff}, and within {days} days before the run")
        }
        Severity::High => {
            format!("enabled, used at or after {cutoff}, but not within {days} days before the run")
        }
        Severity::Medium => "enabled, and the time of its last use is unknown".to_owned(),
        Severity::Low => format!("enabled, but not used since {cutoff}, or never"),
        Severity::Info => "disabled".to_owned(),
    }
}

fn waiver_status(waiver: Option<&Waiver>, now: DateTime<Utc>) -> String {
    let Some(waiver) = waiver else { return "none".to_owned() };
    let ticket = waiver.ticket.as_deref().map_or_else(String::new, |ticket| format!(" ({ticket})"));
    let ends = match waiver.status(now) {
        WaiverStatus::Active => format!("until {}", waiver.expires),
        WaiverStatus::Ending => format!("until {}, in {} days", waiver.expires, waiver.days_left(now)),
        WaiverStatus::Expired => format!("EXPIRED on {} and no longer applied", waiver.expires),
    };
    printable(&format!("{ends}, by {}: {}{ticket} (line {})", waiver.owner, waiver.reason, waiver.line))
}

/// Whether the newest run of the deployment still has it; absence proves something only where the user was read.
fn still_there(store: &Store, seen: &Run, result: &UserResult, key_id: &str) -> Result<String, Error> {
    let runs = store.runs()?;
    let newest = runs.iter().find(|run| run.deployment == seen.deployment);
    let Some(newest) = newest.filter(|newest| newest.id != seen.id) else {
        return Ok("present: this is the newest run".to_owned());
    };
    let read = store.result_of(newest, &result.user)?;
    let run = run_label(newest);
    Ok(match read {
        Some(read) if read.keys.iter().any(|key| key.id == key_id) => format!("present in {run}"),
        Some(read) if read.outcome.status == ReadStatus::Removed => {
            format!("gone: in {run}, the deployment no longer has personal API keys")
        }
        Some(read) if read.outcome.status.is_complete() => {
            format!("gone: {run} read the keys of its owner, and this key was not among them")
        }
        Some(read) => {
            format!("unknown: {run} could not read the keys of its owner ({})", read.outcome.status)
        }
        None => format!("unknown: {run} does not include its owner"),
    })
}

/// The fields of the key in one run, in a line.
fn past(seen: &KeyOccurrence, settings: &ReportSettings) -> Text {
    let KeyOccurrence { run, key, .. } = seen;
    let enabled = if key.is_enabled() { "enabled" } else { "disabled" };
    let uses = key.used_count.map_or_else(|| "use count unknown".to_owned(), |count| format!("{count} uses"));
    let last = key.last_use().map_or_else(|| "unknown".to_owned(), rfc3339);
    let severity = judged_by(run, settings).severity(key);
    Text::from(format!("{}: {enabled}, {uses}, last use {last}: ", run_label(run)))
        .styled(style::severity(severity), severity.as_str())
}
