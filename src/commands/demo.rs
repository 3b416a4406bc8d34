//! `keysunset demo`: the whole audit against a sandbox started for it.

use std::path::Path;

use super::audit;
use crate::cli::{self, OutputArgs, ReportArgs};
use crate::client::{Connection, Credential, Credentials};
use crate::config::{AuditSettings, CONCURRENCY, PATIENCE, RETRIES, ReportSettings, STDOUT, TIMEOUT};
use crate::console::{Page, Text, print};
use crate::context::Context;
use crate::evidence::manifest;
use crate::exit::{Error, Exit};
use crate::model::Product;
use crate::report::text::printable;
use crate::sources::Source;
use crate::store::Store;
use keysunset_sandbox::{Options, Sandbox};
use serde_json::Value;

/// What the reports call its deployment.
const NAME: &str = "demo";
/// Where it is, for a person to read.
const ADDRESS: &str = "the built-in sandbox";
/// Where its reports go.
const OUT: &str = "demo-reports";

/// It ends with 0 when the audit went through, whatever it found: its world is meant to have findings.
pub(crate) async fn run(args: cli::Demo, context: &Context<'_>) -> Result<Exit, Error> {
    if args.out.as_deref().is_some_and(|out| out == Path::new(STDOUT)) {
        return Err(Error::usage("the demo writes several files, and --out needs a folder"));
    }
    let output = OutputArgs { out: Some(args.out.unwrap_or_else(|| OUT.into())), ..OutputArgs::default() };
    let report = ReportSettings::with_defaults(ReportArgs { output, ..ReportArgs::default() }, &|_| None);
    check_folder(&report)?;
    let options = Options::default();
    let users = args.users.unwrap_or(options.users);
    let options = Options { users, clock: Some(context.clock.now()), ..options };
    let sandbox = Sandbox::start(options).map_err(Error::input)?;
    let announced = sandbox.announcement();
    let credential =
        Credential { public: announced.public_key.clone(), private: announced.private_key.clone().into() };
    let settings = AuditSettings {
        name: NAME.to_owned(),
        address: ADDRESS.to_owned(),
        connection: Connection {
            url: announced.url.parse().map_err(Error::bug)?,
            product: Product::OpsManager,
            credentials: Credentials { default: Some(credential), ..Credentials::default() },
            concurrency: CONCURRENCY,
            rate: None,
            timeout: TIMEOUT,
            retries: RETRIES,
            patience: PATIENCE,
            ca_cert: None,
            client_cert: None,
            insecure_skip_verify: false,
        },
        url_file: None,
        sources: vec![Source::AllOrganizations],
    };
    let pages = ["report.html", "migration-report.md"].map(|name| report.output.out.join(name));
    let exit = audit::audit(settings, report, false, context).await?;
    sandbox.stop();
    if !context.quiet {
        let code = exit as u8;
        let mut lines = Page::default();
        lines.line(
            "demo",
            Text::from(format!(
                "the deployment was simulated; a real audit with this result has exit code {code}. Open "
            ))
            .unbroken(&pages[0].to_string_lossy())
            .plain(" in a browser, or ")
            .unbroken(&pages[1].to_string_lossy())
            .plain(", then audit your own deployment: `keysunset audit --help`"),
        );
        print(&lines.into_text())?;
    }
    Ok(Exit::Clean)
}

/// Evidence of a real deployment is not mixed with what was made up, and its reports are not replaced.
fn check_folder(report: &ReportSettings) -> Result<(), Error> {
    let out = &report.output.out;
    let holds = |name: &str| {
        Error::input(format!("{} contains a report or a run of {}", out.display(), printable(name)))
            .help("choose another folder for the demo with --out")
    };
    if report.store.exists() {
        let runs = Store::open(&report.store)?.runs()?;
        if let Some(run) = runs.iter().find(|run| run.deployment != NAME || run.address != ADDRESS) {
            return Err(holds(&run.deployment));
        }
    }
    match std::fs::read(out.join(manifest::NAME)) {
        Ok(bytes) => {
            let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let runs = manifest["runs"].as_array().cloned().unwrap_or_default();
            let names: Vec<_> =
                runs.iter().map(|run| run["deployment"].as_str().unwrap_or_default()).collect();
            match names[..] {
                [NAME] => Ok(()),
                [] => Err(holds("an unknown deployment")),
                [first, ..] => Err(holds(first)),
            }
        }
        // What can't be written there is found out in a moment.
        Err(_) => Ok(()),
    }
}
