//! keysunset finds every deprecated personal API key of a MongoDB Ops Manager, Cloud Manager or Atlas organization, proves
//! which are still in use after the cutoff, and says how to move each to a programmatic API key.
//!
//! [`run`] hands what was typed to a command in `commands`, which resolves its settings (`cli`, `config`, `credentials`)
//! and wires the stages. A user's record passes them in one direction: `sources`, `client`, `pipeline`, [`store`],
//! [`policy`] with [`waivers`] and `ratchet`, [`report`], `gate`; what was saved comes in by `import`. [`evidence`] proves a
//! run afterwards, `history` compares runs. `tests/it/layers.rs` holds which module may use which; ARCHITECTURE.md is the map.

#[macro_use]
mod named;

mod bytes;
mod cli;
mod commands;
mod config;
pub mod console;
mod credentials;
mod digest;
mod disk_sort;
mod gate;
mod history;
mod input;
mod output;
mod packed;
mod ratchet;
mod spreadsheet;

mod client;
pub mod context;
pub mod evidence;
pub mod exit;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod import;
pub mod inventory;
pub mod locate;
pub mod model;
pub mod network;
mod pipeline;
pub mod place;
mod plan;
pub mod policy;
pub mod printable;
mod progress;
pub mod report;
pub mod signals;
mod sources;
pub mod store;
pub mod v1;
pub mod waivers;

pub use cli::{Cli, command, command_for, hint};
pub use output::remove_unfinished;

use cli::Command;
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
        Command::Plan(args) => commands::plan::run(args, &context),
        Command::Locate(args) => commands::locate::run(&args, &context),
        Command::Merge(args) => commands::merge::run(args, &context),
        Command::Explain(args) => commands::explain::run(args, &context),
        Command::History(args) => commands::history::run(args, &context),
        Command::Diff(args) => commands::diff::run(args, &context),
        Command::Prune(args) => commands::prune::run(args, &context),
        Command::Export(args) => commands::export::run(args, &context).await,
        Command::Verify(args) => commands::verify::run(args, &context),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args, &context),
    }
}
