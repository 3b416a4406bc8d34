//! A run that was cut short, and how it is resumed.

use super::run_label;
use crate::console::inform;
use crate::exit::{Error, Signal};
use crate::model::User;
use crate::policy::day_or_instant;
use crate::report::text::printable;
use crate::store::{Journal, NewRun, Run, Store, Unread, UserCounts};
use crate::v1::RunSettings;

/// A run when it begins.
pub(super) enum Begun {
    /// Users have yet to be read: those who are missing, and those of the lists unless these were read before.
    Open { journal: Journal, missing: Vec<User>, resumed: bool, lists: bool },
    /// A run that was cut short after all users were read: only its reports are missing.
    AllRead(Store, i64),
}

/// Begins a run in the store, or resumes the newest one of the same settings: with its users of whom another try may
/// find out more, also when it had ended, or with its reports.
pub(super) fn begin(store: Store, asked: &NewRun, resume: bool, quiet: bool) -> Result<Begun, Error> {
    if !resume {
        return new_run(store, asked);
    }
    let runs = store.runs()?;
    // A run that was cut short before a later one of the same settings was whole is history.
    if let Some(run) = runs.iter().find(|run| changes(run, asked).is_empty()) {
        let unread = store.unread(run)?;
        if unread.users > 0 || unread.lists {
            if !quiet {
                inform(&describe(run, unread, store.user_counts(run)?.requested));
            }
            let (journal, missing) = store.resume(run, unread.lists)?;
            return Ok(Begun::Open { journal, missing, resumed: true, lists: unread.lists });
        }
        if !run.reported {
            tracing::info!("run {} is complete; only its reports are written", run.id);
            return Ok(Begun::AllRead(store, run.id));
        }
    } else if let Some(newest) = runs.iter().find(|run| !run.reported) {
        let changed = changes(newest, asked);
        return Err(Error::input(format!("run {} can't be resumed with other settings", newest.id))
            .details(changed)
            .help("use the settings of that run, or start a new run without --resume"));
    }
    tracing::info!("no run to resume; starting a new run");
    new_run(store, asked)
}

/// `resuming run 3 of 2025-01-01T00:00:00Z: 4 of 400 users are to be read`
fn describe(run: &Run, Unread { users, lists }: Unread, known: u64) -> String {
    let lists = if lists { ", and the user lists again" } else { "" };
    format!("resuming {}: reading {users} of {known} users{lists}", run_label(run))
}

fn new_run(store: Store, asked: &NewRun) -> Result<Begun, Error> {
    Ok(Begun::Open { journal: store.begin(asked)?, missing: Vec::new(), resumed: false, lists: true })
}

/// Which settings of those that shape the result differ. The rate limits may change between the two halves of a run.
fn changes(run: &Run, asked: &NewRun) -> Vec<String> {
    let rules = |settings: &RunSettings| {
        format!("{} and {} days", day_or_instant(settings.cutoff), settings.active_within)
    };
    let trust = |settings: &RunSettings| {
        if settings.requests.certificates_not_verified { "not verified" } else { "verified" }.to_owned()
    };
    let pairs = [
        ("deployment", run.deployment.clone(), asked.deployment.clone()),
        ("url", run.address.clone(), asked.address.clone()),
        ("product", run.product.to_string(), asked.product.to_string()),
        ("credential", run.credential.clone(), asked.credential.clone()),
        ("users", run.settings.sources.join(", "), asked.settings.sources.join(", ")),
        ("user lists", run.settings.lists.join("; "), asked.settings.lists.join("; ")),
        ("certificates", trust(&run.settings), trust(&asked.settings)),
        ("cutoff and activity", rules(&run.settings), rules(&asked.settings)),
    ];
    let differs = pairs.into_iter().filter(|(_, was, is)| was != is);
    differs.map(|(what, was, is)| printable(&format!("{what}: was {was}, is now {is}"))).collect()
}

/// What an end before all users were read leaves, and `why` it came.
pub(super) fn interrupted(store: &Store, run: i64, signal: Signal, why: &str) -> Error {
    let counted = store.run(Some(run)).and_then(|run| store.user_counts(&run));
    let so_far = match counted {
        Ok(UserCounts { requested, asked, .. }) => {
            format!("{asked} of {requested} known users were read and stored")
        }
        Err(why) => why.to_string(),
    };
    Error::interrupted(signal, format!("{why}: {so_far}; no report was written")).help(
        "run the same command with --resume to continue; `keysunset report` renders the stored results, marked INCOMPLETE",
    )
}
