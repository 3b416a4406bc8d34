//! `keysunset demo`: the whole audit against a sandbox started for it.

use super::{audit, say};
use crate::client::{Credential, Credentials};
use crate::config::{CONCURRENCY, Clock, RETRIES, ReportSettings, Settings, TIMEOUT};
use crate::exit::{Error, Exit};
use crate::model::Product;
use crate::sources::Source;
use keysunset_sandbox::{Options, Sandbox};

/// Runs the command; `ci` is whether a CI server does. It ends with 0 when the audit went through, whatever it found: its world is meant to have findings.
///
/// # Errors
/// Those of the audit.
pub async fn run(
    options: Options,
    view: ReportSettings,
    ci: bool,
    clock: Clock,
    quiet: bool,
) -> Result<Exit, Error> {
    let sandbox = Sandbox::start(options).map_err(Error::input)?;
    let announced = sandbox.announcement();
    let url = announced.url.parse().map_err(Error::bug)?;
    let settings = Settings {
        url,
        name: "demo".to_owned(),
        product: Product::OpsManager,
        ca_cert: None,
        insecure_skip_verify: false,
        credentials: Credentials {
            default: Some(Credential {
                public: announced.public_key.clone(),
                private: announced.private_key.clone().into(),
            }),
            ..Credentials::default()
        },
        sources: vec![Source::AllOrganizations],
        concurrency: CONCURRENCY,
        rate: None,
        timeout: TIMEOUT,
        retries: RETRIES,
        view,
        ci,
    };
    let out = settings.view.output.out.clone();
    let exit = audit::run(settings, "the built-in sandbox".to_owned(), false, clock, quiet).await?;
    sandbox.stop();
    if !quiet {
        let code = exit as u8;
        say(&format!(
            "  demo        this was a made-up deployment; an audit with this result ends with exit code {code}.\n\
             \x20             Open {}, then audit your own: keysunset audit --help\n",
            out.join("migration-report.md").display()
        ))?;
    }
    Ok(Exit::Clean)
}
