//! From what was typed to what holds: flags, then environment (both are clap's), then keysunset.toml, then a
//! profile of mongocli or the Atlas CLI (see [`crate::credentials`]), then defaults.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{ColorChoice, CommandFactory as _};
use serde::de::DeserializeOwned;
use url::Url;

use crate::cli::{self, AuditArgs, Cli, ReportArgs, StoreArgs};
use crate::client::{Credentials, is_loopback, product};
use crate::credentials::{self, Env, Profile};
use crate::exit::Error;
use crate::model::Product;
use crate::policy::FailOn;
use crate::report::{Format, Output};
use crate::sources::Source;
use keysunset_sandbox::Options;

/// What holds for an audit.
pub struct Settings {
    /// Where.
    pub url: Url,
    /// What the reports call it.
    pub name: String,
    /// Which product.
    pub product: Product,
    /// PEM certificates to trust besides the system's.
    pub ca_cert: Option<Vec<u8>>,
    /// Whether certificates are not verified at all.
    pub insecure_skip_verify: bool,
    /// Who asks.
    pub credentials: Credentials,
    /// Whom to audit.
    pub sources: Vec<Source>,
    /// Requests in flight.
    pub concurrency: NonZeroUsize,
    /// Requests a second.
    pub rate: Option<f64>,
    /// For one request.
    pub timeout: Duration,
    /// How often a request that failed is sent again.
    pub retries: u32,
    /// How to judge and what to write.
    pub view: ReportSettings,
    /// Whether a CI server runs it.
    pub ci: bool,
}

/// What holds for a report: how to judge, and what to write.
pub struct ReportSettings {
    /// `None`: the run's own, or the default.
    pub cutoff: Option<DateTime<Utc>>,
    /// In days; `None` likewise.
    pub active_within: Option<u32>,
    /// Which keys fail.
    pub fail_on: FailOn,
    /// A file of accepted exceptions.
    pub waivers: Option<PathBuf>,
    /// Whether waivers that end soon or match nothing are findings.
    pub strict_waivers: bool,
    /// Whether only what got worse than in an earlier run is a finding.
    pub ratchet: bool,
    /// That run, where it is not in the store.
    pub baseline: Option<PathBuf>,
    /// Whether findings and gaps end with 0.
    pub exit_zero: bool,
    /// The evidence.
    pub store: PathBuf,
    /// The reports.
    pub output: Output,
}

/// What holds for an import.
pub struct Import {
    /// Files and folders.
    pub inputs: Vec<PathBuf>,
    /// Where the deployment is; `None`: as the answers say.
    pub url: Option<Url>,
    /// What the reports call it; `None` likewise.
    pub name: Option<String>,
    /// Which product answered; `None` likewise.
    pub product: Option<Product>,
    /// How to judge and what to write.
    pub view: ReportSettings,
}

/// 2021-03-01T00:00:00Z, when Atlas stopped taking personal keys.
pub const CUTOFF: DateTime<Utc> = DateTime::from_timestamp(1_614_556_800, 0).expect("a time");
/// Days.
pub const ACTIVE_WITHIN: u32 = 90;
/// Requests in flight.
pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
/// For one request.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Of one request, before its user counts as not read.
pub const RETRIES: u32 = 4;
const OUT: &str = "reports";
/// The evidence in `--out`.
pub const STORE: &str = "keysunset.db";
const FILE: &str = "keysunset.toml";

/// Whether a command has to be told whom to audit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    Somebody,
    Anybody,
}

impl Settings {
    /// Resolves what was typed for `audit`.
    ///
    /// # Errors
    /// What is missing on the command line (usage), or what can't be used of the rest (bad input).
    pub fn resolve(
        typed: AuditArgs,
        shown: ReportArgs,
        config: Option<&Path>,
        env: &Env,
    ) -> Result<Self, Error> {
        Self::resolve_for(Whom::Somebody, typed, shown, config, env)
    }

    /// Resolves what was typed for `doctor`, which needs nobody to audit.
    ///
    /// # Errors
    /// As for `audit`.
    pub fn resolve_for_doctor(typed: AuditArgs, config: Option<&Path>, env: &Env) -> Result<Self, Error> {
        Self::resolve_for(Whom::Anybody, typed, ReportArgs::default(), config, env)
    }

    fn resolve_for(
        whom: Whom,
        typed: AuditArgs,
        shown: ReportArgs,
        config: Option<&Path>,
        env: &Env,
    ) -> Result<Self, Error> {
        let (file_asked, file_shown) = read_file(config)?;
        let asked = typed.over(file_asked);
        let profile = asked.profile.as_deref().map(|name| Profile::find(name, env)).transpose()?;
        let mut lower = credentials::deployment(profile.as_ref(), env);
        let url = match &asked.url {
            Some(text) => typed_url(text)?,
            None => lower_url(lower.url.take())?,
        };
        without_credentials(&url)?;
        let mut sources = asked_sources(asked.users, asked.user, asked.project, asked.org, asked.all_orgs);
        if sources.is_empty() {
            sources.extend(lower.org.take().map(Source::Organization));
        }
        if sources.is_empty() && whom == Whom::Somebody {
            return Err(missing(
                "whom to audit",
                "--all-orgs, --org ID, --project ID, --users FILE or --user ID",
            ));
        }
        let (product, ca_cert, skip_verify) = lower.at(&url);
        let ci = is_ci(env);
        let settings = Self {
            name: asked.name.unwrap_or_else(|| url.origin().ascii_serialization()),
            product: asked.product.or(product).unwrap_or_else(|| product::guess(&url)),
            ca_cert: asked.ca_cert.as_deref().or(ca_cert).map(read).transpose()?,
            insecure_skip_verify: asked.insecure_skip_verify.unwrap_or(skip_verify),
            credentials: credentials::gather(asked.credentials.as_deref(), profile.as_ref(), env, !ci)?,
            sources,
            concurrency: asked.concurrency.unwrap_or(CONCURRENCY),
            rate: asked.rate,
            timeout: asked.timeout.unwrap_or(TIMEOUT),
            retries: asked.retries.unwrap_or(RETRIES),
            view: ReportSettings::settle(shown.over(file_shown), env),
            ci,
            url,
        };
        settings.warn();
        Ok(settings)
    }

    /// Whether what is read passes the network in the clear: plain http to another host than this one.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        self.url.scheme() == "http" && !is_loopback(&self.url)
    }

    /// Tells what makes the evidence doubtful, whatever else is quiet. Who can't be told can't be helped.
    fn warn(&self) {
        let mut stderr = std::io::stderr().lock();
        if self.insecure_skip_verify {
            let _ = writeln!(
                stderr,
                "warning: certificates are NOT verified (--insecure-skip-verify): whoever is in between can answer in \
                 the deployment's place\n  help: --ca-cert FILE trusts a private authority"
            );
        }
        if self.is_in_the_clear() {
            let _ = writeln!(
                stderr,
                "warning: plain http to {}: whoever is in between can read and change every answer\n  help: use https",
                self.url.host_str().unwrap_or_default()
            );
        }
    }
}

/// Whether a CI server runs this: `CI` is set, and not to `false` or `0`. Then nobody looks on or answers.
#[must_use]
pub fn is_ci(env: &Env) -> bool {
    env("CI").is_some_and(|ci| !matches!(ci.trim().to_lowercase().as_str(), "" | "false" | "0"))
}

/// Whether a command may colour its help and errors: elsewhere it is for the terminal and `NO_COLOR` to say, but the
/// terminal of a CI server is a log. `CLICOLOR_FORCE` asks for colours there too.
#[must_use]
pub fn color(env: &Env) -> ColorChoice {
    let forced = env("CLICOLOR_FORCE").is_some_and(|force| force != "0");
    if is_ci(env) && !forced { ColorChoice::Never } else { ColorChoice::Auto }
}

fn typed_url(text: &str) -> Result<Url, Error> {
    cli::url(text).map_err(|why| Error::usage(format!("the URL can't be used (--url): {why}")))
}

fn without_credentials(url: &Url) -> Result<(), Error> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Error::usage("the URL holds credentials, which do not belong there")
        .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY"))
}

fn lower_url(url: Option<Result<Url, Error>>) -> Result<Url, Error> {
    url.unwrap_or_else(|| Err(missing("which deployment to audit", "--url https://om.example:8080")))
}

impl ReportSettings {
    /// Resolves what was typed for `report`.
    ///
    /// # Errors
    /// What can't be used of the configuration.
    pub fn resolve(shown: ReportArgs, config: Option<&Path>, env: &Env) -> Result<Self, Error> {
        let (_, file) = read_file(config)?;
        Ok(Self::settle(shown.over(file), env))
    }

    /// Resolves what was typed for the commands that need the store and nothing of the reports.
    ///
    /// # Errors
    /// What can't be used of the configuration.
    pub fn of_store(kept: StoreArgs, judged: ReportArgs, env: &Env) -> Result<Self, Error> {
        let StoreArgs { store, out, config } = kept;
        Self::resolve(ReportArgs { out, store, ..judged }, config.as_deref(), env)
    }

    /// What was typed, and the defaults where nothing was.
    #[must_use]
    pub fn settle(shown: ReportArgs, env: &Env) -> Self {
        let out = shown.out.unwrap_or_else(|| PathBuf::from(OUT));
        let mut formats = shown.format;
        if formats.is_empty() {
            formats = vec![Format::Csv, Format::Markdown];
        }
        formats.sort_unstable();
        formats.dedup();
        Self {
            cutoff: shown.cutoff,
            active_within: shown.active_within,
            fail_on: shown.fail_on.unwrap_or(FailOn::Any),
            waivers: shown.waivers,
            strict_waivers: shown.strict_waivers.unwrap_or(false),
            ratchet: shown.ratchet.unwrap_or(shown.baseline.is_some()),
            baseline: shown.baseline.filter(|_| shown.ratchet != Some(false)),
            exit_zero: shown.exit_zero.unwrap_or(false),
            store: shown.store.unwrap_or_else(|| out.join(STORE)),
            output: Output {
                out,
                formats,
                templates: shown.templates,
                step_summary: env("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from),
                csv_raw: shown.csv_raw.unwrap_or(false),
            },
        }
    }
}

impl AuditArgs {
    /// What is typed here, and where nothing is, what `lower` says. Whom to audit is one setting: a list here replaces all below.
    fn over(self, lower: Self) -> Self {
        let here = !self.users.is_empty()
            || !self.user.is_empty()
            || !self.org.is_empty()
            || !self.project.is_empty()
            || self.all_orgs.is_some();
        let (users, user, org, project, all_orgs) = if here {
            (self.users, self.user, self.org, self.project, self.all_orgs)
        } else {
            (lower.users, lower.user, lower.org, lower.project, lower.all_orgs)
        };
        Self {
            url: self.url.or(lower.url),
            name: self.name.or(lower.name),
            product: self.product.or(lower.product),
            ca_cert: self.ca_cert.or(lower.ca_cert),
            insecure_skip_verify: self.insecure_skip_verify.or(lower.insecure_skip_verify),
            credentials: self.credentials.or(lower.credentials),
            profile: self.profile.or(lower.profile),
            users,
            user,
            org,
            project,
            all_orgs,
            concurrency: self.concurrency.or(lower.concurrency),
            rate: self.rate.or(lower.rate),
            timeout: self.timeout.or(lower.timeout),
            retries: self.retries.or(lower.retries),
        }
    }
}

impl ReportArgs {
    fn over(self, lower: Self) -> Self {
        Self {
            cutoff: self.cutoff.or(lower.cutoff),
            active_within: self.active_within.or(lower.active_within),
            fail_on: self.fail_on.or(lower.fail_on),
            waivers: self.waivers.or(lower.waivers),
            strict_waivers: self.strict_waivers.or(lower.strict_waivers),
            ratchet: self.ratchet.or(lower.ratchet),
            baseline: self.baseline.or(lower.baseline),
            exit_zero: self.exit_zero.or(lower.exit_zero),
            out: self.out.or(lower.out),
            store: self.store.or(lower.store),
            format: if self.format.is_empty() { lower.format } else { self.format },
            templates: self.templates.or(lower.templates),
            csv_raw: self.csv_raw.or(lower.csv_raw),
        }
    }
}

fn asked_sources(
    users: Vec<PathBuf>,
    user: Vec<String>,
    project: Vec<String>,
    org: Vec<String>,
    all_orgs: Option<bool>,
) -> Vec<Source> {
    let mut sources: Vec<_> = users.into_iter().map(Source::File).collect();
    sources.extend(user.into_iter().map(Source::User));
    sources.extend(project.into_iter().map(Source::Project));
    sources.extend(org.into_iter().map(Source::Organization));
    sources.extend((all_orgs == Some(true)).then_some(Source::AllOrganizations));
    sources
}

fn missing(what: &str, flag: &str) -> Error {
    Error::usage(format!("nothing says {what}")).help(format!("add {flag}, or write it in {FILE}"))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|why| Error::input(format!("can't read {}: {why}", path.display())))
}

/// The settings of `config`, or of keysunset.toml where it is.
fn read_file(config: Option<&Path>) -> Result<(AuditArgs, ReportArgs), Error> {
    let path = config.unwrap_or(Path::new(FILE));
    if config.is_none() && !path.exists() {
        return Ok(Default::default());
    }
    let wrong = |why: String| Error::input(format!("{} can't be used: {why}", path.display()));
    let text = String::from_utf8(read(path)?).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
    let unknown: Vec<_> = table.keys().filter(|key| !is_setting(key)).map(|key| format!("`{key}`")).collect();
    if !unknown.is_empty() {
        return Err(wrong(format!("no such setting: {}", unknown.join(", ")))
            .help("settings have the names of audit's flags, without `--`; credentials never stand here"));
    }
    let asked: AuditArgs = part(&text).map_err(wrong)?;
    if let Some(Err(why)) = asked.url.as_deref().map(cli::url) {
        return Err(wrong(format!("url: {why}")));
    }
    Ok((asked, part(&text).map_err(wrong)?))
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|why| why.to_string())
}

/// Every flag of `audit` but those that only make sense typed.
fn is_setting(key: &str) -> bool {
    let cli = Cli::command();
    let audit = cli.find_subcommand("audit");
    !matches!(key, "config" | "help")
        && audit.is_some_and(|audit| audit.get_arguments().any(|argument| argument.get_long() == Some(key)))
}

/// Resolves what was typed for `import`.
///
/// # Errors
/// A URL that can't be used (usage), or what can't be used of the configuration (bad input).
pub fn import(typed: cli::Import, env: &Env) -> Result<Import, Error> {
    let (asked, shown) = read_file(typed.config.as_deref())?;
    let url = typed.url.or(asked.url).as_deref().map(typed_url).transpose()?;
    url.as_ref().map_or(Ok(()), without_credentials)?;
    Ok(Import {
        inputs: typed.inputs,
        url,
        name: typed.name.or(asked.name),
        product: typed.product.or(asked.product),
        view: ReportSettings::settle(typed.shown.over(shown), env),
    })
}

/// The service that `keysunset sandbox` is to be.
#[must_use]
pub fn sandbox(typed: cli::Sandbox, clock: Clock) -> Options {
    let default = Options::default();
    Options {
        listen: typed.listen.unwrap_or(default.listen),
        product: typed.product.unwrap_or(default.product),
        service_version: typed.service_version.unwrap_or(default.service_version),
        users: typed.users.unwrap_or(default.users),
        seed: typed.seed.unwrap_or(default.seed),
        world: typed.world,
        challenge: typed.challenge.unwrap_or(default.challenge),
        nonce: typed.nonce.unwrap_or(default.nonce),
        nonce_life: typed.nonce_life.unwrap_or(default.nonce_life),
        nonce_uses: typed.nonce_uses.unwrap_or(default.nonce_uses),
        clock: typed.clock.or(clock.fixed()),
        faults: typed.fault,
    }
}

/// The service that the demo audits, and what it leaves.
#[must_use]
pub fn demo(typed: cli::Demo, clock: Clock) -> (Options, ReportSettings) {
    let default = Options::default();
    let users = typed.users.unwrap_or(default.users);
    let view = ReportSettings::settle(ReportArgs { out: typed.out, ..ReportArgs::default() }, &|_| None);
    (Options { users, clock: Some(clock.now()), ..default }, view)
}

/// What every "now" is: fixed by `SOURCE_DATE_EPOCH`, so that the same evidence gives the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Option<DateTime<Utc>>);

impl Clock {
    /// From the environment.
    ///
    /// # Errors
    /// A `SOURCE_DATE_EPOCH` that is no number of seconds.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let Some(text) = env("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
            return Ok(Self(None));
        };
        let time = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        match time {
            Some(time) => Ok(Self(Some(time))),
            None => Err(Error::input(format!(
                "SOURCE_DATE_EPOCH is {text:?}, which is no number of seconds since 1970"
            ))),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> DateTime<Utc> {
        self.0.unwrap_or_else(Utc::now)
    }

    /// The fixed now, if it is fixed.
    #[must_use]
    pub fn fixed(self) -> Option<DateTime<Utc>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cutoff_is_the_day_of_the_contract() {
        assert_eq!(crate::model::rfc3339(CUTOFF), "2021-03-01T00:00:00Z");
    }

    #[test]
    fn a_ci_server_is_where_ci_is_set_to_anything_but_no() {
        for (value, is) in
            [("true", true), ("1", true), ("woodpecker", true), ("false", false), ("0", false), ("", false)]
        {
            assert_eq!(is_ci(&|_| Some(value.to_owned())), is, "{value}");
        }
        assert!(!is_ci(&|_| None));
        let env = |force: Option<&'static str>| {
            move |name: &str| if name == "CI" { Some("1".to_owned()) } else { force.map(str::to_owned) }
        };
        assert_eq!(color(&env(None)), ColorChoice::Never);
        assert_eq!(color(&env(Some("0"))), ColorChoice::Never);
        assert_eq!(color(&env(Some("1"))), ColorChoice::Auto);
        assert_eq!(color(&|_| None), ColorChoice::Auto);
    }

    #[test]
    fn every_setting_of_the_file_has_the_name_of_its_flag() {
        for setting in ["url", "all-orgs", "active-within", "csv-raw", "ca-cert", "format", "profile"] {
            assert!(is_setting(setting), "{setting}");
        }
        for other in ["config", "help", "private-key", "all_orgs", ""] {
            assert!(!is_setting(other), "{other}");
        }
    }

    proptest::proptest! {
        /// Foreign bytes: any file of settings is taken or refused.
        #[test]
        fn any_file_of_settings_is_taken_or_refused(text in "([a-z-]{1,14} ?= ?[^\n]{0,20}\n){0,4}|\\PC*") {
            let _ = (part::<AuditArgs>(&text), part::<ReportArgs>(&text));
        }
    }
}
