//! `keysunset plan`: from a stored run to a migration plan, without a request.

use std::io;
use std::path::Path;

use chrono::TimeDelta;
use url::Url;

use super::judged_by;
use crate::cli::{self, PolicyArgs};
use crate::client::product;
use crate::config::ReportSettings;
use crate::console::{Page, Text, print, warn};
use crate::context::Context;
use crate::exit::{Error, Exit, WriteTarget};
use crate::model::{PersonalKey, Product, UserResult, rfc3339};
use crate::plan::{
    AddressFile, Decision, FILES, ForeignJournal, Inventory, LetterFormat, OwnerContext, OwnerPlan, Per,
    PlanFiles, PlanHead, Planner, Schedule, Summary, Tools, Upgrade,
};
use crate::report::ReportFile;
use crate::sources::Source;
use crate::store::{self, Run, Store, StoredSearch};
use crate::waivers::{WaiverStatus, Waivers};

/// Days without a use before a key may be disabled.
const VERIFY_DAYS: u32 = 14;

pub(crate) fn run(args: cli::Plan, context: &Context) -> Result<Exit, Error> {
    let cli::Plan { run, per, addresses, tool, verify_days, upgrade_on, letters, waivers, store } = args;
    let policy = PolicyArgs { waivers, ..PolicyArgs::default() };
    let settings = ReportSettings::for_store(store, policy, context.env)?;
    if settings.output.stdout {
        return Err(Error::usage("--out - cannot hold a plan: it has several files")
            .help("choose a folder with --out; `jq . reports/plan.json` prints one of the files"));
    }
    let targets = FILES.iter().chain(&FOLDERS).map(|name| settings.output.out.join(name));
    super::outputs::check(&settings.store, targets)?;
    let waivers = super::waivers(&settings, context.clock)?;
    let store = Store::open(&settings.store)?;
    let run = store.run(run)?;
    let tools = Tools::new(&tool, run.product)
        .map_err(|wrong| Error::input(wrong.why).help(format!("use {}", wrong.instead)))?;
    let inventory = Inventory::read(&store, &run)?;
    let addresses = match addresses {
        Some(path) => AddressFile::read(&path, &store, &run)?,
        None => AddressFile::default(),
    };
    let schedule = Schedule { verify_days: verify_days.unwrap_or(VERIFY_DAYS), upgrade_on };
    let planner = Planner {
        inventory: &inventory,
        policy: judged_by(&run, &settings),
        per: per.unwrap_or(Per::Owner),
        addresses: &addresses,
        service_accounts: tools.service_accounts,
        schedule: Some(schedule),
    };
    if let Some(upgrade) = planner.upgrade() {
        check_upgrade(&run, upgrade)?;
    }
    let letters = letters.unwrap_or(LetterFormat::Markdown);
    let head = head(&store, &run, (planner.per, tools), schedule, letters)?;
    let folder = &settings.output.out;
    check_journals(folder, &head)?;
    let written = write(&store, &run, &planner, &waivers, &head, folder);
    let (summary, files) = written.map_err(|why| why.into_error(folder))?;
    if head.lacks_programmatic_keys() {
        let version = head.service_version.unwrap_or_default();
        let message = format!("Ops Manager {version} has no programmatic API keys, which came with 4.2");
        warn(&message, Some("upgrade to 4.2 or later before you carry the plan out"));
    }
    if !context.quiet {
        print(&page(&head, &summary, &files, folder))?;
    }
    let is_complete = summary.unknown_owners == 0 && head.incomplete.is_empty();
    Ok(if is_complete { Exit::Clean } else { Exit::Incomplete })
}

/// The folders of a plan in `--out`.
pub(super) const FOLDERS: [&str; 2] = ["plan", "letters"];

/// Writes the plan that the command makes without flags.
pub(super) fn write_default(
    store: &Store,
    run: &Run,
    settings: &ReportSettings,
    waivers: &Waivers,
    folder: &Path,
) -> Result<(), WriteError> {
    let inventory = Inventory::read(store, run)?;
    let tools = Tools::new(&[], run.product).map_err(|wrong| io::Error::other(wrong.why))?;
    let schedule = Schedule { verify_days: VERIFY_DAYS, upgrade_on: None };
    let planner = Planner {
        inventory: &inventory,
        policy: judged_by(run, settings),
        per: Per::Owner,
        addresses: &AddressFile::default(),
        service_accounts: tools.service_accounts,
        schedule: Some(schedule),
    };
    let head = head(store, run, (planner.per, tools), schedule, LetterFormat::Markdown)?;
    write(store, run, &planner, waivers, &head, folder).map(drop)
}

pub(super) enum WriteError {
    Store(store::Error),
    Io(io::Error),
}

impl WriteError {
    fn into_error(self, folder: &Path) -> Error {
        match self {
            Self::Store(error) => error.into(),
            Self::Io(why) => Error::not_written(
                format!("the plan to {}", folder.display()),
                &why,
                WriteTarget {
                    elsewhere: "choose another folder with --out, and name the run database with --store",
                    next: "then run the command again",
                },
            ),
        }
    }
}

impl From<store::Error> for WriteError {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// With a journal of another deployment, a script would take for done what was done there.
fn check_journals(folder: &Path, head: &PlanHead) -> Result<(), Error> {
    let found = ForeignJournal::find(folder, head).map_err(|why| WriteError::Io(why).into_error(folder))?;
    let Some(ForeignJournal { path, deployment }) = found else { return Ok(()) };
    let other = deployment.map_or_else(String::new, |it| format!(": {it}"));
    let (known, run) = (if other.is_empty() { "an unknown" } else { "another" }, head.run);
    Err(Error::input(format!("{} is the journal of {known} deployment{other}", path.display())).help(format!(
        "run {run} is of {}, {}: choose another folder with --out, and name the run database with --store; if the \
        deployment is the same, audit it with the name and address of the journal",
        head.deployment,
        head.base_url.as_deref().unwrap_or_default(),
    )))
}

/// The upgrade that removes personal keys is one of Ops Manager, and is still to come.
fn check_upgrade(run: &Run, Upgrade { on: day, now, .. }: Upgrade) -> Result<(), Error> {
    if run.product != Product::OpsManager {
        let product = run.product.title();
        return Err(Error::input(format!(
            "--upgrade-on is for Ops Manager, and run {} is of {product}",
            run.id
        ))
        .help("leave the flag out"));
    }
    let today = now.date_naive();
    if day < today {
        return Err(Error::input(format!("--upgrade-on {day} is before run {} of {today}", run.id))
            .help("give the day of the coming upgrade; after an upgrade, audit again"));
    }
    Ok(())
}

fn head<'a>(
    store: &Store,
    run: &'a Run,
    (per, tools): (Per, Tools),
    schedule: Schedule,
    letters: LetterFormat,
) -> Result<PlanHead<'a>, store::Error> {
    let cut_short = run.finished_at.is_none().then(|| "the run did not end".to_owned());
    let lists = store.incomplete_lists(run)?;
    let lists = lists.into_iter().map(|list| format!("{}: {}", list.source, list.outcome.status));
    Ok(PlanHead {
        deployment: &run.deployment,
        address: &run.address,
        base_url: base_url(run),
        product: run.product,
        service_version: run.service_version.as_deref(),
        run: run.id,
        started_at: rfc3339(run.started_at),
        per,
        tools,
        verify_days: schedule.verify_days,
        upgrade_on: schedule.upgrade_on,
        letters,
        letter_date: run.started_at,
        has_all_organizations: run
            .settings
            .sources
            .iter()
            .any(|it| *it == Source::AllOrganizations.to_string()),
        incomplete: cut_short.into_iter().chain(lists).collect(),
    })
}

/// A run of a demo or of saved responses has an address that is no URL.
fn base_url(run: &Run) -> Option<String> {
    let url = Url::parse(&run.address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(product::base(&url, run.product).to_string())
}

fn write(
    store: &Store,
    run: &Run,
    planner: &Planner,
    waivers: &Waivers,
    head: &PlanHead,
    folder: &Path,
) -> Result<(Summary, Vec<ReportFile>), WriteError> {
    std::fs::create_dir_all(folder)?;
    let mut files = PlanFiles::begin(folder, head, planner.inventory, planner.upgrade())?;
    let (before, search) = (earlier_run(store, run)?, store.search(run)?);
    let earlier = (before.as_ref(), search.as_ref());
    store.results(run, |result| {
        let plan = owner_plan(store, run, earlier, planner, waivers, result)?;
        plan.map_or(Ok(()), |plan| Ok::<_, WriteError>(files.add(&plan)?))
    })?;
    Ok(files.end(folder)?)
}

/// The newest run of the same deployment that is at least a day older, by which the frequency of use is measured: in less
/// time a key of daily use may rest.
fn earlier_run(store: &Store, run: &Run) -> Result<Option<Run>, store::Error> {
    let is_earlier = |it: &Run| {
        let is_older = run.started_at - it.started_at >= TimeDelta::days(1);
        it.id < run.id && is_older && it.deployment == run.deployment && it.finished_at.is_some()
    };
    Ok(store.runs()?.into_iter().find(is_earlier))
}

fn owner_plan(
    store: &Store,
    run: &Run,
    (before, search): (Option<&Run>, Option<&StoredSearch>),
    planner: &Planner,
    waivers: &Waivers,
    result: UserResult,
) -> Result<Option<OwnerPlan>, store::Error> {
    let earlier = match before.filter(|_| !result.keys.is_empty()) {
        Some(before) => store.result_of(before, &result.user)?.map(|it| (it, before.started_at)),
        None => None,
    };
    let before = earlier.as_ref().map(|(result, started_at)| (result, result.read_at.unwrap_or(*started_at)));
    let is_waived = |key: &PersonalKey| {
        let waiver = waivers.of_key(&key.id, &run.deployment);
        waiver.is_some_and(|waiver| waiver.status(run.started_at) != WaiverStatus::Expired)
    };
    let mut plan = planner.plan(result, &OwnerContext { before, is_waived: &is_waived });
    if let Some(search) = search {
        for planned in plan.iter_mut().flat_map(|plan| &mut plan.keys) {
            let suffix = planned.key.suffix.as_ref().filter(|suffix| search.counts(Some(suffix)).is_some());
            planned.places = suffix.map(|suffix| store.places(search, suffix)).transpose()?;
        }
    }
    Ok(plan)
}

fn page(head: &PlanHead, summary: &Summary, files: &[ReportFile], out: &Path) -> String {
    let mut page = Page::default();
    page.line("plan", format!("of {}, run {} of {}", head.deployment, head.run, head.started_at));
    let counts = Decision::ALL.iter().map(|decision| (summary.count(*decision), decision));
    let counts: Vec<_> =
        counts.filter(|(count, _)| *count > 0).map(|(count, it)| format!("{count} {it}")).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    page.line("keys", counts);
    page.line(
        "new keys",
        format!(
            "{} to create, {} created already, {} to decide about",
            summary.to_create, summary.created, summary.to_decide
        ),
    );
    if summary.unknown_owners > 0 {
        page.line(
            "unknown",
            format!("owners with unknown keys or roles: {} (see plan.md)", summary.unknown_owners),
        );
    }
    page.lines("incomplete", &head.incomplete);
    let paths = files.iter().map(|file| Text::default().unbroken(&file.path.to_string_lossy()));
    page.lines("written", paths);
    if summary.scripts > 0 {
        let folders = FOLDERS.map(|name| out.join(name).display().to_string());
        page.line("", format!("{}: {2} scripts; {}: {2} letters", folders[0], folders[1], summary.scripts));
    }
    if summary.withdrawn > 0 {
        page.line(
            "withdrawn",
            format!("{} scripts of an earlier plan, with their letters", summary.withdrawn),
        );
    }
    page.into_text()
}
