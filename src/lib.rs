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

mod input;
mod warnings;

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod context;
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

use cli::{Cli, Command};
use context::Context;
use exit::{Error, Exit};

/// Does what was typed.
///
/// # Errors
/// Whatever ends the run, with its exit code.
pub async fn run(cli: Cli) -> Result<Exit, Error> {
    let env = |name: &str| std::env::var(name).ok();
    let context = Context::new(&env, cli.quiet)?;
    match cli.command {
        Command::Demo(args) => commands::demo::run(args, &context).await,
        Command::Sandbox(args) => commands::sandbox::run(args, &context).await,
        Command::Audit(args) => commands::audit::run(*args, &context).await,
        Command::Doctor(args) => commands::doctor::run(*args, &context).await,
        Command::Import(args) => commands::import::run(*args, &context).await,
        Command::Report(args) => commands::report::run(args, &context),
        Command::Merge(args) => commands::merge::run(args, &context),
        Command::Explain(args) => commands::explain::run(args, &context),
        Command::History(args) => commands::history::run(args, &context),
        Command::Diff(args) => commands::diff::run(args, &context),
        Command::Prune(args) => commands::prune::run(args, &context),
        Command::Export(args) => commands::export::run(args, &context),
        Command::Verify(args) => commands::verify::run(args, &context),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args, &context),
    }
}
