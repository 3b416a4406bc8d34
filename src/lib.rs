//! keysunset finds every deprecated personal API key of a MongoDB Ops Manager, Cloud Manager or Atlas organization, proves
//! which are still in use after the cutoff, and says how to move each to a programmatic API key.
//!
//! # The house
//!
//! Data flows one way; the rooms stand in the order in which it passes them, and `tests/it/layers.rs` holds who may know
//! whom.
//!
//! ```text
//!  lists, organizations        the deployment                keysunset.db            keys.csv, migration-report.md, …
//!         │                          │                            │                               ▲
//!     sources ──── User ────►  pipeline+client ── Reading ────►  store  ──── Reading ────►  policy + report ──► gate ──► exit
//!     (discovers)            (reads, N at once)             (journals at once)          (judges, in one pass)
//!                                                                │  ▲                            ▲  │
//!      saved answers ────────────────── Reading ─────────────────┼──┘        waivers, ratchet ───┘  └──► evidence (manifest)
//!                                                                └────► history (forecast, diff)
//! ```
//!
//! - [`model`]: what all of them talk about. [`exit`]: the exit codes and the error that carries one.
//! - [`sources`]: where users come from. [`client`]: one request done right. [`pipeline`]: from the ones through the other into the store.
//! - [`import`]: answers out of files, in the place of discovery and deployment.
//! - [`store`]: every run, with all that was read. [`policy`]: what a key is worth. [`waivers`]: what is accepted for a while.
//! - [`ratchet`]: what got worse than in an earlier run. [`report`]: one file a format. [`gate`]: the exit code.
//! - [`evidence`]: what proves a run afterwards: its canonical form, the manifest, and the check of both.
//! - [`history`]: the memory between runs: points, forecast, what changed.
//! - [`cli`] and [`config`]: what was typed, and what holds. [`credentials`]: with whose keys. [`progress`]: how far it is.
//!   [`signals`]: what ends it early.
//! - [`commands`]: one file a command, which calls the stages in order.
//!
//! The sandbox is a crate of its own, which depends on nothing of this one, so that client and server can't share a mistake.

#[macro_use]
mod named;

mod lines;

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod credentials;
pub mod evidence;
pub mod exit;
pub mod gate;
pub mod history;
pub mod import;
pub mod model;
pub mod pipeline;
pub mod policy;
pub mod progress;
pub mod ratchet;
pub mod report;
pub mod signals;
pub mod sources;
pub mod store;
pub mod v1;
pub mod waivers;

use clap::CommandFactory as _;
use cli::{Cli, Command, Explain, ReportArgs};
use config::{Clock, ReportSettings, Settings};
use exit::{Error, Exit};

/// Does what was typed.
///
/// # Errors
/// Whatever ends the run, with its exit code.
pub async fn run(cli: Cli) -> Result<Exit, Error> {
    let env = |name: &str| std::env::var(name).ok();
    let clock = Clock::from_env(&env)?;
    match cli.command {
        Command::Demo(demo) => {
            let (options, view) = config::demo(demo, clock);
            commands::demo::run(options, view, config::is_ci(&env), clock, cli.quiet).await
        }
        Command::Sandbox(sandbox) => commands::sandbox::run(config::sandbox(sandbox, clock)).await,
        Command::Audit(audit) => {
            let settings = Settings::resolve(audit.asked, audit.shown, audit.config.as_deref(), &env)?;
            let address = settings.url.to_string();
            commands::audit::run(settings, address, audit.resume, clock, cli.quiet).await
        }
        Command::Doctor(doctor) => {
            let settings = Settings::resolve_for_doctor(doctor.asked, doctor.config.as_deref(), &env)?;
            commands::doctor::run(settings, doctor.json, clock, cli.quiet).await
        }
        Command::Explain(explain) => {
            let Explain { key, cutoff, active_within, waivers, kept } = explain;
            let judged = ReportArgs { cutoff, active_within, waivers, ..ReportArgs::default() };
            let view = ReportSettings::of_store(kept, judged, &env)?;
            commands::explain::run(&view, &key, clock)
        }
        Command::Merge(merge) => {
            let view = ReportSettings::resolve(merge.shown, merge.config.as_deref(), &env)?;
            commands::merge::run(merge.stores, &view, clock, cli.quiet)
        }
        Command::Import(import) => {
            commands::import::run(config::import(*import, &env)?, clock, cli.quiet).await
        }
        Command::Report(report) => {
            let view = ReportSettings::resolve(report.shown, report.config.as_deref(), &env)?;
            commands::report::run(&view, report.run, clock, cli.quiet)
        }
        Command::Completions(asked) => commands::completions::run(&mut Cli::command(), asked.shell),
        Command::Man(man) => commands::man::run(Cli::command(), &man.dir, clock, cli.quiet),
        Command::Export(export) => {
            let view = ReportSettings::of_store(export.kept, ReportArgs::default(), &env)?;
            commands::export::run(&view.store, export.run)
        }
        Command::Verify(verify) => {
            let shown = ReportArgs { out: verify.dir, ..ReportArgs::default() };
            let view = ReportSettings::resolve(shown, verify.config.as_deref(), &env)?;
            let stores = if verify.store.is_empty() { vec![view.store] } else { verify.store };
            commands::verify::run(&view.output.out, &stores, verify.json, cli.quiet)
        }
        Command::History(history) => {
            let form = history.shape.form();
            let view = ReportSettings::of_store(
                history.kept,
                ReportArgs { cutoff: history.cutoff, ..ReportArgs::default() },
                &env,
            )?;
            commands::history::run(&view, history.deployment.as_deref(), form)
        }
        Command::Diff(diff) => {
            let view = ReportSettings::of_store(diff.kept, ReportArgs::default(), &env)?;
            let wanted = commands::diff::Wanted {
                before: diff.before,
                after: diff.after,
                deployment: diff.deployment,
            };
            commands::diff::run(&view, &wanted, diff.shape.form())
        }
        Command::Prune(prune) => {
            let view = ReportSettings::of_store(prune.kept, ReportArgs::default(), &env)?;
            commands::prune::run(&view.store, prune.keep, prune.dry_run, cli.quiet)
        }
    }
}
