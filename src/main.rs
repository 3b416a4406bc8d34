//! Parses, runs, and ends with the exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use keysunset::cli::Cli;
use keysunset::config;
use keysunset::exit::{Error, Exit};

#[expect(clippy::print_stderr, reason = "the one place that tells the error")]
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
        // The panic has told itself.
        Err(_) => Exit::Bug.into(),
    }
}

/// Ends the process by itself where there is nothing to run, as after `--help`.
fn parse() -> Cli {
    let color = config::color(&|name| std::env::var(name).ok());
    let matches = Cli::command().color(color).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|why| why.format(&mut Cli::command()).exit())
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
}
