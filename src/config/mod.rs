//! Settings: from what was typed to what holds. Flags come first, then the environment (clap reads both), then
//! keysunset.toml, then a profile of mongocli or the Atlas CLI (see [`crate::credentials`]), then the defaults.

mod audit;
pub(crate) mod file;
mod import;
mod layers;
mod report;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

pub(crate) use audit::{AuditSettings, Scope};
pub(crate) use file::{FileOrigin, SettingsFile};
pub(crate) use import::ImportSettings;
pub(crate) use report::{ReportSettings, STDOUT};

use crate::cli;
use crate::exit::Error;

/// 2021-03-01T00:00:00Z, when Atlas stopped taking personal keys.
pub(crate) const CUTOFF: DateTime<Utc> = DateTime::from_timestamp(1_614_556_800, 0).expect("a time");
/// In days.
pub(crate) const ACTIVE_WITHIN: u32 = 90;
/// Requests in flight.
pub(crate) const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
/// For one request.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// Of one request, before its user counts as not read.
pub(crate) const RETRIES: u32 = 4;
/// How long a deployment may be down in mid-run, unless the settings say otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// The evidence in `--out`.
pub(crate) const STORE: &str = "keysunset.db";

/// A URL as it was typed. One with credentials in it is not taken, lest they end up in every report.
fn typed_url(text: &str) -> Result<Url, Error> {
    let url = cli::url(text).map_err(|why| Error::usage(format!("invalid --url: {why}")))?;
    without_credentials(url)
}

fn without_credentials(url: Url) -> Result<Url, Error> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(Error::usage("the URL contains credentials")
        .help("remove them from the URL, and set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY"))
}

/// `what` is what an error calls the file, such as `the certificate file`.
fn read(what: &str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|why| Error::not_read(what, path.display(), &why))
}
