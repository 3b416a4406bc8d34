//! `keysunset man`: the help of every command as man pages, for `man` and for packages.

use std::io::{self, Write as _};
use std::path::Path;

use clap::builder::Resettable;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{self, Cli};
use crate::console::print;
use crate::context::Context;
use crate::exit::{Error, Exit, WriteTarget};
use crate::output::{rename, temp_file_in};

/// A page is written beside its name and renamed.
pub(crate) fn run(args: &cli::Man, context: &Context) -> Result<Exit, Error> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).map_err(|why| not_written(dir, &why))?;
    // The day of the packager's clock, never ours: the same program makes the same pages.
    // Without one the quotes have to be ours: an empty word is none to roff, and what follows would take its place.
    let date = context.clock.fixed().map_or_else(|| r#""""#.to_owned(), |now| now.format("%F").to_string());
    let mut written = Vec::new();
    for (name, page) in pages(Cli::command(), &date)? {
        let path = dir.join(name);
        put(dir, &path, &page).map_err(|why| not_written(&path, &why))?;
        written.push(format!("{}\n", path.display()));
    }
    if !context.quiet {
        print(&written.concat())?;
    }
    Ok(Exit::Clean)
}

fn not_written(path: &Path, why: &io::Error) -> Error {
    let target = WriteTarget { elsewhere: "name another folder", next: "then run the command again" };
    Error::not_written(path.display(), why, target)
}

fn put(dir: &Path, path: &Path, page: &str) -> io::Result<()> {
    let mut file = temp_file_in(dir)?;
    file.write_all(page.as_bytes())?;
    rename(file, path)
}

/// Each page with its file's name: the program's first, then its commands by name.
fn pages(typed: Command, date: &str) -> Result<Vec<(String, String)>, Error> {
    // `keysunset help audit` has no page: it prints what is here.
    let mut program = typed.disable_help_subcommand(true);
    program.build();
    let version = program.get_version().unwrap_or_default();
    let source = format!("{} {version}", program.get_name());
    let mut commands: Vec<_> = program.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    commands.sort_by_key(|command| command.get_name());
    let names: Vec<_> = commands.iter().map(|command| name(command)).collect();
    let all = std::iter::once((&program, names));
    let each = commands.into_iter().map(|command| (command, vec![name(&program)]));
    all.chain(each)
        .map(|(command, also)| {
            let bare = command.clone().after_help(Resettable::Reset).after_long_help(Resettable::Reset);
            let man = Man::new(bare)
                .title(name(command).to_uppercase())
                .date(date)
                .source(&source)
                .manual("keysunset manual");
            let mut page = Vec::new();
            man.render(&mut page).map_err(Error::bug)?;
            let page = String::from_utf8(page).map_err(Error::bug)?;
            let rest = rest(command, &also).to_roff().replace('\'', r"\(aq");
            Ok((man.get_filename(), as_typed(&(page + &rest))))
        })
        .collect()
}

/// What `man` would else show as an accent or a quotation mark, so that an example no longer works when it is pasted.
fn as_typed(page: &str) -> String {
    page.replace('~', r"\(ti").replace('^', r"\(ha").replace('`', r"\(ga")
}

/// The command as `man` knows it: `keysunset-audit`.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// The sections at the end of a command's long help, line by line, and the pages to read next.
fn rest(command: &Command, also: &[String]) -> Roff {
    let below = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let mut page = Roff::new();
    let mut lines = below.lines().skip_while(|line| line.is_empty()).peekable();
    while let Some(heading) = lines.next() {
        let heading = heading.trim_end_matches(':').to_uppercase();
        page.control("SH", [if heading == "EXIT CODES" { "EXIT STATUS" } else { &heading }]);
        page.control("nf", []);
        while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with(' ')) {
            // An empty line between two sections is of neither.
            if !line.is_empty() || lines.peek().is_some_and(|next| next.starts_with(' ')) {
                page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
        }
        page.control("fi", []);
    }
    page.control("SH", ["SEE ALSO"]);
    let last = also.len().saturating_sub(1);
    for (at, name) in also.iter().enumerate() {
        page.text([bold(name), roman(if at == last { "(1)" } else { "(1)," })]);
    }
    page
}
