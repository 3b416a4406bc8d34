//! `keysunset export`: a stored run in its canonical form, on standard output.

use std::io::{BufWriter, ErrorKind, Write as _};

use crate::cli::{self, PolicyArgs};
use crate::config::ReportSettings;
use crate::context::Context;
use crate::evidence::export;
use crate::exit::{Error, Exit};
use crate::store::Store;

pub(crate) fn run(args: cli::Export, context: &Context) -> Result<Exit, Error> {
    let settings = ReportSettings::for_store(args.store, PolicyArgs::default(), context.env)?;
    let store = Store::open(&settings.store)?;
    let run = store.run(args.run)?;
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = export::write(&store, &run, export::VERSION, &mut stdout).map(drop);
    match written.and_then(|()| stdout.flush().map_err(export::Error::from)) {
        // A reader that closed it does not want the rest.
        Err(export::Error::Write(why)) if why.kind() == ErrorKind::BrokenPipe => Ok(Exit::Clean),
        written => written.map(|()| Exit::Clean).map_err(Error::from),
    }
}
