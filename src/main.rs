//! Parses, runs, and ends with the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ContextValue;
use keysunset::context::color;
use keysunset::exit::{Error, Exit};
use keysunset::printable::{for_terminal, masked, printable};
use keysunset::{Cli, command_for, hint};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = parse();
    log(cli.verbose);
    let (end, ended) = std::sync::mpsc::channel();
    let interrupt = end.clone();
    // What waits for the end may be gone by then, and so in both threads.
    keysunset::signals::watch(move |error| {
        let _ = interrupt.send(Some(Err(error)));
    });
    let command = move || {
        let _ = end.send(std::panic::catch_unwind(|| run(cli)).ok());
    };
    // As large as that of the first thread, on which it would run otherwise.
    let thread = std::thread::Builder::new().name("main".to_owned()).stack_size(8 << 20).spawn(command);
    match thread.map_err(|why| Error::not_started(&why)).map(|_| ended.recv()) {
        Ok(Ok(Some(Ok(exit)))) => exit.into(),
        Ok(Ok(Some(Err(error)))) | Err(error) => {
            if error.is_interruption() {
                keysunset::remove_unfinished();
            }
            keysunset::console::print_error(&error);
            error.exit_code().into()
        }
        // The panic has printed its message.
        Ok(Ok(None) | Err(_)) => Exit::Bug.into(),
    }
}

fn run(cli: Cli) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Error::not_started(&why))?;
    let ended = runtime.block_on(keysunset::run(cli));
    // A thread that still writes when a signal came is not waited for.
    runtime.shutdown_background();
    ended
}

/// Ends the process where there is nothing to run, as after `--help`.
fn parse() -> Cli {
    let color = color(std::env::args_os().skip(1), &|name| std::env::var(name).ok());
    keysunset::console::set_color(color);
    let command = command_for(&std::env::args_os().collect::<Vec<_>>()).color(color);
    let matches = command.clone().try_get_matches();
    let parsed = matches
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|why| why.format(&mut command.clone())));
    parsed.unwrap_or_else(|why| without_keys(hint(why)).exit())
}

/// What was typed is quoted in the error, and may be a key at the wrong place, or a file name with escapes.
fn without_keys(mut why: clap::Error) -> clap::Error {
    let quoted = why.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(for_terminal(text)))),
        _ => None,
    });
    for (kind, value) in quoted.collect::<Vec<_>>() {
        why.insert(kind, value);
    }
    why
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(|| MaskedLog).without_time().init();
}

/// Standard error, for lines of the log, which quote foreign text like any other message.
struct MaskedLog;

impl Write for MaskedLog {
    /// Takes one line, whole, as the log writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // The log would panic at an error, and a reader that closed standard error ends no audit.
        let _ = writeln!(io::stderr().lock(), "{}", masked(&printable(text.trim_end())));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
