//! Parses, runs, and ends with the exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use keysunset::cli::Cli;
use keysunset::context::color;
use keysunset::exit::{Error, Exit};
use tracing_subscriber::filter::LevelFilter;

#[expect(clippy::print_stderr, reason = "the one place that prints the error")]
fn main() -> ExitCode {
    let cli = parse();
    log(cli.verbose);
    let ended = std::panic::catch_unwind(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::bug)?;
        let ended = runtime.block_on(keysunset::run(cli));
        // A thread that still writes when a signal came is not waited for.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            eprintln!("error: {error}");
            error.exit_code().into()
        }
        // The panic has printed its message.
        Err(_) => Exit::Bug.into(),
    }
}

/// Ends the process where there is nothing to run, as after `--help`.
fn parse() -> Cli {
    let color = color(&|name| std::env::var(name).ok());
    let matches = Cli::command().color(color).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|why| why.format(&mut Cli::command()).exit())
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
}
