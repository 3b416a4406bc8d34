//! `keysunset demo`: the whole audit against a sandbox started for it.

use super::audit;
use crate::cli::{self, OutputArgs, ReportArgs};
use crate::client::{Connection, Credential, Credentials};
use crate::config::{AuditSettings, CONCURRENCY, RETRIES, ReportSettings, TIMEOUT};
use crate::console::print;
use crate::context::Context;
use crate::exit::{Error, Exit};
use crate::model::Product;
use crate::sources::Source;
use keysunset_sandbox::{Options, Sandbox};

/// Runs the command. It ends with 0 when the audit went through, whatever it found: its world is meant to have findings.
///
/// # Errors
/// Those of the audit.
pub async fn run(args: cli::Demo, context: &Context<'_>) -> Result<Exit, Error> {
    let options = Options::default();
    let users = args.users.unwrap_or(options.users);
    let options = Options { users, clock: Some(context.clock.now()), ..options };
    let sandbox = Sandbox::start(options).map_err(Error::input)?;
    let announced = sandbox.announcement();
    let credential =
        Credential { public: announced.public_key.clone(), private: announced.private_key.clone().into() };
    let settings = AuditSettings {
        name: "demo".to_owned(),
        address: "the built-in sandbox".to_owned(),
        connection: Connection {
            url: announced.url.parse().map_err(Error::bug)?,
            product: Product::OpsManager,
            credentials: Credentials { default: Some(credential), ..Credentials::default() },
            concurrency: CONCURRENCY,
            rate: None,
            timeout: TIMEOUT,
            retries: RETRIES,
            ca_cert: None,
            client_cert: None,
            insecure_skip_verify: false,
        },
        url_file: None,
        sources: vec![Source::AllOrganizations],
    };
    let output = OutputArgs { out: args.out, ..OutputArgs::default() };
    let report = ReportSettings::with_defaults(ReportArgs { output, ..ReportArgs::default() }, &|_| None);
    let page = report.output.out.join("migration-report.md");
    let exit = audit::audit(settings, report, false, context).await?;
    sandbox.stop();
    if !context.quiet {
        let code = exit as u8;
        print(&format!(
            "  demo        this was a made-up deployment; an audit with this result ends with exit code {code}.\n\
             \x20             Open {}, then audit your own: keysunset audit --help\n",
            page.display()
        ))?;
    }
    Ok(Exit::Clean)
}
