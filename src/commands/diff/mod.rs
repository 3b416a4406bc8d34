//! `keysunset diff`: what changed from one run to a later one.

mod choice;
mod json;
mod markdown;
mod sections;
mod text;

use std::io::{self, Write};

use self::sections::Sections;
use super::history::deployments;
use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::history::diff::{Change, Entry, Frame};
use crate::history::{Form, RunSummary};
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
    let mut sections = Sections::default();
    store.pairs(&frame.before.run, &frame.after.run, |before, after| {
        for entry in frame.changes(before.as_ref(), after.as_ref()) {
            let line = (shape.line)(&entry)?;
            sections.push(entry.change, &line, shape.between).map_err(|why| no_room(&why))?;
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

/// How a form writes one change, and the page around all of them.
struct Shape {
    line: fn(&Entry) -> Result<String, Error>,
    /// Stands between two of a section.
    between: &'static str,
    page: fn(&mut dyn Write, &Frame, &mut Sections) -> io::Result<()>,
}

impl Shape {
    fn of(form: Form) -> Self {
        match form {
            Form::Text => Self { line: text::line, between: "", page: text::page },
            Form::Json => Self { line: json::line, between: ",\n", page: json::page },
            Form::Markdown => Self { line: markdown::line, between: "", page: markdown::page },
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
