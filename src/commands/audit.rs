//! `keysunset audit`: check what was asked, read all users into the journal, and report.

use super::resume::{self, Begun};
use super::{OPENING, WholeRun, baseline, half_upgraded, reported};
use crate::cli;
use crate::client::{Client, WRONG_BASE_HELP, is_access_list, is_wrong_base};
use crate::config::{ACTIVE_WITHIN, AuditSettings, CUTOFF, ReportSettings, Scope, SettingsFile};
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit, Signal};
use crate::model::{IncompleteList, PersonalKey, ReadStatus};
use crate::pipeline::{self, End, Work};
use crate::policy::{FailOn, Policy};
use crate::progress::Progress;
use crate::report::text::printable;
use crate::signals::{Interruption, Signals};
use crate::sources::{CheckedSource, Source};
use crate::store::{NewRun, Store};
use crate::v1::{RequestSettings, RunSettings};
use crate::waivers::{WaiverStatus, Waivers};

/// Runs the command.
///
/// # Errors
/// What is missing on the command line, and those of `audit`.
pub(crate) async fn run(args: cli::Audit, context: &Context<'_>) -> Result<Exit, Error> {
    let file = SettingsFile::read(args.report.config.as_deref(), context.env)?;
    let report =
        ReportSettings::with_defaults(args.report.with_fallback(file.report), context.env).checked()?;
    let settings = AuditSettings::resolve(args.settings, file.audit, file.origin, Scope::Required, context)
        .map_err(|error| error.and(super::waivers(&report, context.clock).err()))?;
    let report = ReportSettings { url_file: settings.url_file, ..report };
    audit(settings, report, args.resume, context).await
}

/// Audits a deployment, and reports.
///
/// # Errors
/// What makes the whole run pointless, what can't be written, or the signal that ended it.
pub(super) async fn audit(
    settings: AuditSettings,
    report: ReportSettings,
    resume: bool,
    context: &Context<'_>,
) -> Result<Exit, Error> {
    let clock = context.clock;
    let (waivers, sources) = inputs(&settings, &report, clock)?;
    super::outputs::check_reports(&report.store, &report)?;
    crate::report::prepare(&report.output)?;
    let out = super::output_folder(&report)?;
    let parts = super::manifest_parts(&report)?;
    let policy = Policy {
        now: clock.now(),
        cutoff: report.cutoff.unwrap_or(CUTOFF),
        active_within: report.active_within.unwrap_or(ACTIVE_WITHIN),
    };
    let asked = new_run(&settings, &sources, &policy);
    let (concurrency, name) = (settings.connection.concurrency, settings.name);
    let client = Client::new(settings.connection)?;

    let mut signals = Signals::listen()?;
    let begin = || resume::begin(Store::open_for_run(&report.store)?, &asked, resume, context.quiet);
    let (store, run) = match signals.unless(OPENING, begin)?? {
        Begun::AllRead(store, run) => (store, run),
        Begun::Open { journal, missing, resumed, lists } => {
            let run = journal.run();
            let progress = Progress::new(context.quiet, context.is_ci());
            let sources = if lists { sources } else { Vec::new() };
            let work = Work { missing, sources, concurrency };
            let now = move || clock.now();
            let is_finding = |key: &PersonalKey| is_finding(key, &policy, &name, report.fail_on, &waivers);
            let end = pipeline::run(&client, work, &journal, is_finding, now, &progress, &mut signals).await;
            let store = journal.close()?;
            let end = end.and_then(|end| {
                require_users(&store, run, &end)?;
                let answered = resumed || client.has_answered() || !matches!(end, End::Complete);
                if answered { Ok(end) } else { Err(no_answer(&client)) }
            });
            match end {
                Ok(end) => conclude(&store, run, end, &client, clock)?,
                // A new run without a result is deleted; a resumed run is kept.
                Err(why) if !resumed => return store.discard(run).map_err(Error::from).and(Err(why)),
                Err(why) => return Err(why),
            }
            (store, run)
        }
    };
    drop(client);
    // Its connections end then, before the reports take their memory.
    tokio::task::yield_now().await;
    let interruption = Interruption {
        message: "interrupted while writing the reports; all users were read and stored",
        help: Some("run the same command with --resume to write the reports"),
    };
    reported(
        WholeRun { store, run, out, parts },
        &report,
        &waivers,
        context.quiet,
        &mut signals,
        interruption,
    )
}

/// What is read from files before the first request; all errors of it together.
fn inputs(
    settings: &AuditSettings,
    report: &ReportSettings,
    clock: Clock,
) -> Result<(Waivers, Vec<CheckedSource>), Error> {
    let mut errors = Vec::new();
    let waivers = super::waivers(report, clock).map_err(|why| errors.push(why));
    errors.extend(baseline::check(report, &settings.name).err());
    let sources = settings.sources.iter().map(Source::check);
    let sources = sources.filter_map(|source| source.map_err(|why| errors.push(why)).ok()).collect();
    Error::together(errors)?;
    Ok((waivers.unwrap_or_default(), sources))
}

/// Whether a key fails the gate, as far as that is known during a run: `--ratchet` is applied to the report.
fn is_finding(
    key: &PersonalKey,
    policy: &Policy,
    deployment: &str,
    fail_on: FailOn,
    waivers: &Waivers,
) -> bool {
    let waiver = waivers.of_key(&key.id, deployment);
    let is_waived = waiver.is_some_and(|waiver| waiver.status(policy.now) != WaiverStatus::Expired);
    !is_waived && fail_on.counts(key, policy.verdict(key), policy.severity(key))
}

/// What is known of the run before its first request.
fn new_run(settings: &AuditSettings, checked: &[CheckedSource], policy: &Policy) -> NewRun {
    let connection = &settings.connection;
    NewRun {
        deployment: settings.name.clone(),
        address: settings.address.clone(),
        product: connection.product,
        credential: connection.credentials.describe(),
        started_at: policy.now,
        has_organizations: true,
        settings: RunSettings {
            sources: settings.sources.iter().map(Source::to_string).collect(),
            lists: checked
                .iter()
                .filter_map(CheckedSource::fingerprint)
                .map(|list| list.to_string())
                .collect(),
            cutoff: policy.cutoff,
            active_within: policy.active_within,
            requests: RequestSettings {
                concurrency: connection.concurrency.get(),
                rate: connection.rate,
                timeout: connection.timeout.as_secs(),
                retries: connection.retries,
                certificates_not_verified: connection.insecure_skip_verify,
                in_the_clear: settings.is_in_the_clear(),
            },
        },
    }
}

/// Records what was learned of the deployment, and that the run has ended.
///
/// # Errors
/// The signal that ended it before all users were read, or what the store says.
fn conclude(store: &Store, run: i64, end: End, client: &Client, clock: Clock) -> Result<(), Error> {
    store.check_in_place()?;
    // One that had ended before, and of which nothing new was recorded, stays as it was.
    if store.run(Some(run))?.finished_at.is_none() {
        store.add_service_versions(run, client.service_version().as_deref())?;
        // A fixed clock says nothing about the deployment's.
        store.set_clock_skew(run, client.clock_skew().filter(|_| clock.fixed().is_none()))?;
    }
    match end {
        End::Interrupted(signal) => Err(resume::interrupted(store, run, signal, "interrupted")),
        End::Outage(why) => Err(resume::interrupted(store, run, Signal::Interrupt, &why.message)),
        End::Failed(why) => Err(why),
        End::Complete | End::WriterStopped => {
            half_upgraded::record(store, run)?;
            Ok(store.finish(run, clock.now())?)
        }
    }
}

/// All users were asked for, and there was no answer.
fn no_answer(client: &Client) -> Error {
    if client.has_requested() {
        // Of several credentials not one works.
        return Error::input("the deployment refused all credentials; no user was read").help(
            "check the credentials file, and add this machine's IP address to the access list of each key",
        );
    }
    if client.has_default_credential() {
        return Error::input("no user can be requested; no request was sent")
            .help("check the IDs and names of the users");
    }
    Error::input("no credentials match any of the users; no request was sent").help(
        "the credentials file needs the ID or the name of each user as it is in the list, or a [default]",
    )
}

/// What to do where the reason of an empty list is not the list.
fn list_help(list: &IncompleteList) -> Option<&'static str> {
    let outcome = &list.outcome;
    let code = outcome.error_code.as_deref().unwrap_or_default();
    if is_access_list(code) {
        return Some("add this machine's IP address to the access list of the key");
    }
    if outcome.status == ReadStatus::RateLimited {
        return Some("the deployment limits the rate of requests: run the audit again later");
    }
    if outcome.status == ReadStatus::Error
        && outcome.http_status.is_none_or(|status| status == 408 || status >= 500)
    {
        return Some(
            "the deployment or a proxy failed to answer: try again later; if it is slow, raise --timeout",
        );
    }
    let is_of_organizations = list.source == Source::AllOrganizations.to_string();
    let is_wrong_base = code == "RESOURCE_NOT_FOUND" || is_of_organizations && is_wrong_base(outcome);
    is_wrong_base.then_some(WRONG_BASE_HELP)
}

/// An empty list of users is a mistake, never a clean result; unless the run ended before the list came.
fn require_users(store: &Store, run: i64, end: &End) -> Result<(), Error> {
    let run = store.run(Some(run))?;
    if !matches!(end, End::Complete) || store.has_users(&run)? {
        return Ok(());
    }
    let gaps = store.incomplete_lists(&run)?;
    let why = gaps.iter().map(|gap| {
        let code = gap.outcome.error_code.as_deref().map_or_else(String::new, |code| format!(" {code}"));
        let detail = gap.outcome.detail.as_deref().unwrap_or_default();
        printable(&format!("{}: {}{code}: {detail}", gap.source, gap.outcome.status))
    });
    let sources = run.settings.sources.join(", ");
    let help = gaps.iter().find_map(list_help);
    Err(Error::input(format!("{sources} returned no users"))
        .details(why)
        .help(help.unwrap_or(
            "check the list, the IDs and the roles of the key; an audit without users would prove nothing",
        ))
        .see_doctor())
}
