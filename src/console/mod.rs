//! What a person sees besides the files: results on standard output, and messages on standard error.
//!
//! Pages are wrapped to 80 columns wherever they go, so that they have the same bytes everywhere. Messages are wrapped on a
//! terminal only: in a log each is one line, which `grep` finds whole. Colours are decided by `--color`, and by the terminal
//! and its environment where that is `auto`.
//!
//! A warning is printed whatever else is quiet, since it says that the evidence is doubtful, or that something was not done
//! that was asked for. What only explains is logged with `tracing`, for `-v`.

mod duration;
mod page;
pub(crate) mod style;
mod text;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::Style;
use clap::ColorChoice;
use serde::Serialize;

pub(crate) use duration::duration;
pub(crate) use page::Page;
pub(crate) use text::{Text, cell};

use crate::context::is_ci;
use crate::exit::{Error, WriteTarget};

/// Columns of a page, and of a message on a terminal.
pub(crate) const WIDTH: usize = 80;

/// Sets which output has colours.
pub fn set_color(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Prints the error that ends the program.
pub fn print_error(error: &Error) {
    print_message((style::ERROR, "error"), &error.message, &error.details, error.help_text().as_deref());
}

/// Prints what is doubtful, and what to do about it.
pub(crate) fn warn(message: &str, help: Option<&str>) {
    print_message((style::WARNING, "warning"), message, &[], help);
}

/// Prints on standard error what a person should know although nothing is doubtful.
pub(crate) fn inform(message: &str) {
    print_lines(&Text::from(message).wrapped(message_width(), 0, 2));
}

/// The first line has the label; all others are indented.
fn print_message((style, label): (Style, &str), message: &str, details: &[String], help: Option<&str>) {
    let width = message_width();
    let mut lines = message.lines().chain(details.iter().flat_map(|detail| detail.lines()));
    let first = Text::default().styled(style, &format!("{label}:")).plain(" ");
    let text = first.plain(lines.next().unwrap_or_default()).wrapped(width, 0, label.len() + 2);
    let mut printed = vec![text];
    printed.extend(lines.map(|line| Text::from("  ").plain(line).wrapped(width, 0, 4)));
    if let Some(help) = help {
        let mut lines = help.lines();
        let first = Text::from("  ").styled(style::HELP, "help:").plain(" ");
        printed.push(first.plain(lines.next().unwrap_or_default()).wrapped(width, 0, 8));
        printed.extend(lines.map(|line| Text::from("  ").plain(line).wrapped(width, 0, 4)));
    }
    print_lines(&printed.join("\n"));
}

/// Prints to standard error. A reader that closed it ends nothing, and changes no exit code.
fn print_lines(lines: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{}", without_commands(lines));
}

/// Lines that no CI server obeys: GitHub Actions takes `::command::` at the start of a line, behind blanks, and `##[command]`
/// anywhere, and Azure Pipelines `##vso[command]`. A name or description may have such a text.
fn without_commands(lines: &str) -> Cow<'_, str> {
    if !lines.contains("::") && !lines.contains("##") {
        return lines.into();
    }
    let mut text = String::with_capacity(lines.len());
    for line in lines.split_inclusive(['\n', '\r']) {
        let start = line.len() - line.trim_start().len();
        let (blanks, rest) = line.split_at(start);
        text.push_str(blanks);
        let rest = match rest.strip_prefix("::") {
            Some(rest) => {
                text.push_str(": :");
                rest
            }
            None => rest,
        };
        text.push_str(&rest.replace("##[", "# #[").replace("##vso[", "# #vso["));
    }
    text.into()
}

/// The terminal of a CI server is a log.
fn message_width() -> usize {
    let is_log = !io::stderr().is_terminal() || is_ci(&|name| std::env::var(name).ok());
    if is_log { usize::MAX } else { WIDTH }
}

/// Prints a page on standard error, because a report is written to standard output.
pub(crate) fn print_aside(page: &str) {
    print_lines(page.trim_end());
}

/// Prints a result, without its escape codes where there are no colours.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    printed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Prints a file, from where it is read next.
pub(crate) fn print_file(mut file: File) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    printed(io::copy(&mut file, &mut stdout).and_then(|_| stdout.flush()))
}

/// Prints a result for programs.
pub(crate) fn print_json(document: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(document).map_err(Error::bug)?;
    let mut stdout = io::stdout().lock();
    printed(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// What helps where standard output can't be written: it is mostly a file of the shell.
pub(crate) const STDOUT: WriteTarget =
    WriteTarget { elsewhere: "redirect the output to another file", next: "then run the command again" };

/// The result of writing to standard output. A reader that closed it does not want the rest, and that is no error.
pub(crate) fn printed(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::not_written("standard output", &why, STDOUT))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command_of_a_ci_server() {
        for (text, printed) in [
            ("plain: a::b\n", "plain: a::b\n"),
            ("::stop-commands::x\n  ::error::y\n", ": :stop-commands::x\n  : :error::y\n"),
            ("a\r::error::y", "a\r: :error::y"),
            (
                "name ##[error]x and ##vso[task.setvariable]y",
                "name # #[error]x and # #vso[task.setvariable]y",
            ),
            ("###[error]", "## #[error]"),
        ] {
            assert_eq!(without_commands(text), printed);
        }
    }
}
