//! `keysunset export`: a stored run in its canonical form, on standard output; or as an evidence pack.

use std::io::{BufWriter, ErrorKind, Write as _};

use crate::cli;
use crate::config::ReportSettings;
use crate::context::Context;
use crate::evidence::export;
use crate::exit::{Error, Exit};
use crate::store::Store;

pub(crate) async fn run(args: cli::Export, context: &Context<'_>) -> Result<Exit, Error> {
    let settings = ReportSettings::for_store(args.store, args.policy, context.env)?;
    match args.pack {
        Some(target) => super::pack::run(target, args.run, settings, context).await,
        None => canonical(&settings, args.run),
    }
}

fn canonical(settings: &ReportSettings, run: Option<i64>) -> Result<Exit, Error> {
    let store = Store::open(&settings.store)?;
    let run = store.run(run)?;
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = export::write(&store, &run, export::VERSION, &mut stdout).map(drop);
    match written.and_then(|()| stdout.flush().map_err(export::Error::from)) {
        // A reader that closed it does not want the rest.
        Err(export::Error::Write(why)) if why.kind() == ErrorKind::BrokenPipe => Ok(Exit::Clean),
        written => written.map(|()| Exit::Clean).map_err(Error::from),
    }
}
