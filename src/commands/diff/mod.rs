//! `keysunset diff`: what changed from one run to a later one.

mod choice;
mod json;
mod markdown;
mod text;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use super::history::deployments;
use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::history::diff::{Change, Entry, Frame};
use crate::history::{Form, RunSummary};
use crate::report::SpillFile;
use crate::store::Store;

/// Runs the command.
///
/// # Errors
/// No store, no such runs, two that can't be compared, or standard output that can't be written.
pub fn run(args: cli::Diff, context: &Context) -> Result<Exit, Error> {
    let cli::Diff { before, after, deployment, form, store } = args;
    let settings = ReportSettings::for_store(store, PolicyArgs::default(), context.env)?;
    let store = Store::open(&settings.store)?;
    let deployment = deployment.as_deref();
    if deployment.is_some() {
        deployments(&store, deployment)?;
    }
    let (before, after) = choice::choose(&store, before, after, deployment)?;
    let frame = Frame {
        before: RunSummary::new(&store, before, None)?,
        after: RunSummary::new(&store, after, None)?,
    };
    let shape = Shape::of(form.form());
    let mut sections = Sections::new().map_err(|why| no_room(&why))?;
    store.pairs(&frame.before.run, &frame.after.run, |before, after| {
        for entry in frame.changes(before.as_ref(), after.as_ref()) {
            let line = (shape.line)(&entry)?;
            sections.push(entry.change, &line).map_err(|why| no_room(&why))?;
        }
        Ok::<_, Error>(())
    })?;
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let written = (shape.page)(&mut stdout, &frame, &mut sections).and_then(|()| stdout.flush());
    match written {
        // Whoever closed it does not want to know.
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::output(format!("can't write to standard output: {why}")))
        }
        Ok(()) | Err(_) => Ok(Exit::Clean),
    }
}

fn no_room(why: &io::Error) -> Error {
    Error::output(format!(
        "can't write a file for the time being to {}: {why}",
        std::env::temp_dir().display()
    ))
    .help("make room there, or set TMPDIR to another folder")
}

/// The lines of each kind of change: users pass once, and the page has a section a kind.
struct Sections {
    counts: BTreeMap<Change, u64>,
    lines: SpillFile,
}

impl Sections {
    fn new() -> io::Result<Self> {
        Ok(Self { counts: BTreeMap::new(), lines: SpillFile::new_in(&std::env::temp_dir())? })
    }

    /// Adds one change, as it will be on the page.
    fn push(&mut self, change: Change, line: &str) -> io::Result<()> {
        *self.counts.entry(change).or_default() += 1;
        self.lines.write(change as usize, line.as_bytes())
    }

    /// How many changes of this kind there are.
    fn count(&self, change: Change) -> u64 {
        self.counts.get(&change).copied().unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The lines of a section.
    fn read(&mut self, change: Change) -> io::Result<impl BufRead> {
        self.lines.read(change as usize)
    }
}

/// How a form writes one change, and the page around all of them.
struct Shape {
    line: fn(&Entry) -> Result<String, Error>,
    page: fn(&mut dyn Write, &Frame, &mut Sections) -> io::Result<()>,
}

impl Shape {
    fn of(form: Form) -> Self {
        match form {
            Form::Text => Self { line: text::line, page: text::page },
            Form::Json => Self { line: json::line, page: json::page },
            Form::Markdown => Self { line: markdown::line, page: markdown::page },
        }
    }
}

/// What stands above a section, and what a reader should know of it.
fn heading(change: Change) -> (&'static str, &'static str) {
    match change {
        Change::BecameUnreadable => ("Users who became unreadable", "nobody knows what became of their keys"),
        Change::BecameReadable => ("Users who became readable", ""),
        Change::UserCame => ("Users who came", ""),
        Change::UserFirstSeen => ("Users seen for the first time", "they may have been there before"),
        Change::UserWent => ("Users who went", "they are no longer listed; their accounts may still exist"),
        Change::UserUnknown => ("Users of whom nothing is known any more", "they may still be there"),
        Change::Used => ("Keys used in between", "the surest sign of a script that still runs"),
        Change::UseUnknown => {
            ("Keys of which nobody knows whether they were used in between", "take them as used")
        }
        Change::Came => ("Keys that came", "their users were read before, and did not have them"),
        Change::FirstSeen => ("Keys seen for the first time", "they may have been there before"),
        Change::Went => ("Keys that went", ""),
        Change::LeftWithUser => (
            "Keys whose user is no longer listed",
            "nobody looked; the account may still exist, and the key with it",
        ),
        Change::Unknown => ("Keys of which nothing is known any more", "take them as still there"),
        Change::Disabled => ("Keys that were disabled", ""),
        Change::Enabled => ("Keys that were enabled again", ""),
    }
}
