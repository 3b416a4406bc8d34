//! `keysunset diff`: what changed from one run to a later one.

mod choice;
mod json;
mod page;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use super::history::{deployments, policy_of};
use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::console::printed;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::history::diff::{Change, ChangeKind, RunPair};
use crate::history::{PageFormat, RunSummary};
use crate::plan::{Inventory, Moves, ProgressDiff};
use crate::report::SpillFile;
use crate::store::Store;

pub(crate) fn run(args: cli::Diff, context: &Context) -> Result<Exit, Error> {
    let cli::Diff { before, after, deployment, form, store } = args;
    let settings = ReportSettings::for_store(store, PolicyArgs::default(), context.env)?;
    let store = Store::open(&settings.store)?;
    let deployment = deployment.as_deref();
    if deployment.is_some() {
        deployments(&store, deployment)?;
    }
    let (before, after) = choice::choose(&store, before, after, deployment)?;
    let pair = RunPair {
        before: RunSummary::new(&store, before, None)?,
        after: RunSummary::new(&store, after, None)?,
    };
    let form = form.form();
    let renderer = Renderer::new(form);
    let inventories = (Inventory::read(&store, &pair.before.run)?, Inventory::read(&store, &pair.after.run)?);
    let policies = (policy_of(&pair.before), policy_of(&pair.after));
    let mut progress = ProgressDiff::new((&inventories.0, &policies.0), (&inventories.1, &policies.1));
    let mut sections = Sections::new().map_err(|why| Error::no_temporary_file(&why))?;
    store.pairs(&pair.before.run, &pair.after.run, |before, after| {
        progress.add(before.as_ref(), after.as_ref());
        for change in pair.changes(before.as_ref(), after.as_ref()) {
            let mut line = Vec::new();
            let written = (renderer.line)(&mut line, &change);
            written
                .and_then(|()| sections.push(change.kind, &line))
                .map_err(|why| Error::no_temporary_file(&why))?;
        }
        Ok::<_, Error>(())
    })?;
    let mut stdout: Box<dyn Write> = match form {
        PageFormat::Text => Box::new(anstream::stdout().lock()),
        PageFormat::Json | PageFormat::Markdown => Box::new(io::stdout().lock()),
    };
    let mut stdout = io::BufWriter::new(&mut stdout);
    let written =
        (renderer.page)(&mut stdout, &pair, &progress.finish(), &mut sections).and_then(|()| stdout.flush());
    printed(written)?;
    Ok(Exit::Clean)
}

/// The lines of each kind of change: users pass once, and the page has a section a kind.
struct Sections {
    counts: BTreeMap<ChangeKind, u64>,
    lines: SpillFile,
}

impl Sections {
    fn new() -> io::Result<Self> {
        Ok(Self { counts: BTreeMap::new(), lines: SpillFile::new_in(&std::env::temp_dir())? })
    }

    /// Adds one change, as it will be on the page.
    fn push(&mut self, kind: ChangeKind, line: &[u8]) -> io::Result<()> {
        *self.counts.entry(kind).or_default() += 1;
        self.lines.write(kind as usize, line)
    }

    /// How many changes of this kind there are.
    fn count(&self, kind: ChangeKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The lines of a section.
    fn read(&mut self, kind: ChangeKind) -> io::Result<impl BufRead> {
        self.lines.read(kind as usize)
    }
}

/// How one change is written, and the page around all of them.
struct Renderer {
    line: fn(&mut Vec<u8>, &Change) -> io::Result<()>,
    page: fn(&mut dyn Write, &RunPair, &Moves, &mut Sections) -> io::Result<()>,
}

impl Renderer {
    fn new(format: PageFormat) -> Self {
        match format {
            PageFormat::Text => Self { line: page::text_line, page: page::text },
            PageFormat::Json => Self { line: json::line, page: json::page },
            PageFormat::Markdown => Self { line: page::markdown_line, page: page::markdown },
        }
    }
}
