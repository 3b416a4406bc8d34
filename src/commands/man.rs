//! `keysunset man`: the help of every command as man pages, for `man` and for packages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{self, Cli};
use crate::console::print;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::report::temp_file_in;

/// The sections of the paragraphs at the end of a help, by their first word; all others are notes.
const SECTIONS: [(&str, &str); 2] = [("Examples:", "EXAMPLES"), ("Exit codes:", "EXIT STATUS")];

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
    Error::output(format!("{} can't be written: {why}", path.display()))
        .help("name a folder that you may write to")
}

fn put(dir: &Path, path: &PathBuf, page: &str) -> io::Result<()> {
    let mut file = temp_file_in(dir)?;
    file.write_all(page.as_bytes())?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
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
            let man = Man::new(command.clone().after_help(Resettable::Reset))
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

/// The end of a command's help, line by line, and the pages to read next.
fn rest(command: &Command, also: &[String]) -> Roff {
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = Roff::new();
    let mut open = "";
    for paragraph in below.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let known = SECTIONS.iter().find(|(opening, _)| paragraph.starts_with(opening));
        let (opening, heading) = known.copied().unwrap_or(("", "NOTES"));
        page.control(if open == heading { "PP" } else { "SH" }, (open != heading).then_some(heading));
        open = heading;
        page.control("nf", []);
        let text = &paragraph[opening.len()..];
        for line in text.strip_prefix(['\n', ' ']).unwrap_or(text).lines() {
            page.text([roman(line)]);
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
