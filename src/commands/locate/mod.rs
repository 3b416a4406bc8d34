//! `keysunset locate`: searches files and git histories for the keys of a stored run, or of a `keys.csv`.

mod again;
mod inputs;
pub(crate) mod keys;
mod outputs;
mod progress;

use std::path::Path;

use self::keys::KeyList;
use crate::cli::{self, PolicyArgs, StoreArgs};
use crate::config::ReportSettings;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::locate::scan::{Options, Suffixes};
use crate::locate::{Exclude, Progress, Searched, TreeOptions, search};
use crate::place::Class;
use crate::report;
use crate::report::places::{LocateFailOn, LocateReport, LocationFormat, LocationOutput, Rows, SearchScope};
use crate::store::{self, FoundPlaces, Located, Run, Search, Store};
use crate::waivers::Waivers;

/// In MiB, of a file.
const MAX_SIZE: u64 = 4096;

pub(crate) fn run(args: &cli::Locate, context: &Context) -> Result<Exit, Error> {
    let settings = settings(args, context)?;
    let output = output(args, &settings)?;
    let waivers = super::waivers(&settings, context.clock)?;
    let exclude = Exclude::new(&args.exclude).map_err(|why| {
        Error::usage(format!("invalid --exclude: {why}")).help("docs/locate.md has examples")
    })?;
    let keys = match &args.keys {
        Some(file) => KeyList::from_file(file, &waivers, context.clock.now())?,
        None => KeyList::from_run(&settings, args.run, &waivers)?,
    };
    let roots = inputs::roots(args)?;
    super::outputs::check(&settings.store, output.targets())?;
    output.prepare()?;
    let searched = searched(args, &settings, &keys, &roots, &exclude, context)?;
    let roots: Vec<_> = roots.iter().map(crate::locate::Root::text).collect();
    let scope = SearchScope {
        deployment: keys.deployment(),
        keys_from: &keys.from,
        unknown_keys: keys.unknown(),
        roots: roots.clone(),
        excluded: &args.exclude,
        history: !args.no_history,
        archives: !args.no_archives,
        files: searched.files,
        objects: searched.objects,
        bytes: searched.bytes,
        links_outside: searched.links_outside,
    };
    let fail_on = args.fail_on.unwrap_or(LocateFailOn::Any);
    let rows = Rows::new(&keys.keys, &searched.found, &waivers, keys.deployment(), fail_on, keys.now);
    let report = LocateReport::new(scope, rows)?;
    let written = output.write(&report)?;
    if let Some(run) = &keys.run {
        let (searched_at, is_complete) = (context.clock.now(), report.is_all_searched());
        let search = Search { searched_at, is_complete, roots };
        let suffixes = keys.keys.iter().map(|key| &key.suffix);
        Store::open(&settings.store)?.record_search(run, &search, suffixes, &searched.found)?;
    }
    let again = again::as_markdown(args);
    outputs::print_all(&report, written, &output, &again, context.quiet)
}

/// Writes `locations.csv` of the newest stored search of a run. `None` if there is none; `false` if it was not complete, since
/// what was not searched is not stored, and a file without it, or without keys of the run, would look complete.
pub(super) fn write_stored<E: From<Error> + From<store::Error> + From<report::Error>>(
    store: &Store,
    run: &Run,
    settings: &ReportSettings,
    waivers: &Waivers,
    out: &Path,
) -> Result<Option<bool>, E> {
    let Some(search) = store.search(run)? else { return Ok(None) };
    if !search.is_complete() {
        return Ok(Some(false));
    }
    let keys = KeyList::from_run(settings, Some(run.id), waivers)?;
    let found = FoundPlaces::new()?;
    store.all_places(&search, |place| found.add(&[Located { place, context: None }]))?;
    found.sort()?;
    let scope = SearchScope {
        deployment: keys.deployment(),
        keys_from: &keys.from,
        unknown_keys: keys.unknown(),
        roots: search.search.roots.clone(),
        excluded: &[],
        history: false,
        archives: false,
        files: 0,
        objects: 0,
        bytes: 0,
        links_outside: 0,
    };
    let fail_on = LocateFailOn::Any;
    let rows = Rows::new(&keys.keys, &found, waivers, keys.deployment(), fail_on, keys.now);
    let (out, formats) = (out.to_owned(), vec![LocationFormat::Csv]);
    let output = LocationOutput { out, stdout: false, formats, step_summary: None };
    output.write(&LocateReport::new(scope, rows)?)?;
    Ok(Some(true))
}

fn settings(args: &cli::Locate, context: &Context) -> Result<ReportSettings, Error> {
    let cli::Locate { store, out, config, waivers, .. } = args;
    let store = StoreArgs { store: store.clone(), out: out.clone(), config: config.clone() };
    let policy = PolicyArgs { waivers: waivers.clone(), ..PolicyArgs::default() };
    ReportSettings::for_store(store, policy, context.env)
}

fn output(args: &cli::Locate, settings: &ReportSettings) -> Result<LocationOutput, Error> {
    let mut formats = args.format.clone();
    if formats.is_empty() {
        formats = vec![LocationFormat::Csv, LocationFormat::Markdown];
    }
    formats.sort_unstable();
    formats.dedup();
    let (out, stdout) = (settings.output.out.clone(), settings.output.stdout);
    if stdout && formats.len() != 1 {
        let all: Vec<_> = LocationFormat::ALL.iter().map(|format| format.as_str()).collect();
        return Err(Error::usage("--out - needs one format")
            .help(format!("use --format with one of {}", all.join(", "))));
    }
    Ok(LocationOutput { out, stdout, formats, step_summary: settings.output.step_summary.clone() })
}

fn searched(
    args: &cli::Locate,
    settings: &ReportSettings,
    keys: &KeyList,
    roots: &[crate::locate::Root],
    exclude: &Exclude,
    context: &Context,
) -> Result<Searched, Error> {
    let suffixes = keys.keys.iter().map(|key| (key.suffix.clone(), Class::Key));
    let suffixes =
        Suffixes::new(suffixes.chain(keys.programmatic.iter().map(|it| (it.clone(), Class::NewKey))));
    let scan = Options {
        strangers: args.unknown,
        context: args.context,
        archives: !args.no_archives,
        max_size: args.max_size.unwrap_or(MAX_SIZE) << 20,
        usernames: if args.unknown { keys.usernames.clone() } else { Vec::new() },
    };
    let own = inputs::own_files(settings);
    let options = TreeOptions {
        suffixes: &suffixes,
        scan: &scan,
        exclude,
        gitignore: args.gitignore,
        history: !args.no_history,
        own: &own,
    };
    let counts = Progress::default();
    Ok(progress::shown(&counts, context, || search(roots, &options, &counts))?)
}
