//! From what was typed to what holds: flags, then environment (both are clap's), then keysunset.toml, then defaults.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::CommandFactory as _;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::Url;

use crate::api::{Credential, Credentials, product};
use crate::cli::{Asked, Cli, Shown};
use crate::exit::Error;
use crate::gate::FailOn;
use crate::model::Product;
use crate::report::{Format, Output};
use crate::source::Source;

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
    pub view: View,
}

/// What holds for a report: how to judge, and what to write.
pub struct View {
    /// `None`: the run's own, or the default.
    pub cutoff: Option<DateTime<Utc>>,
    /// In days; `None` likewise.
    pub active_within: Option<u32>,
    /// Which keys fail.
    pub fail_on: FailOn,
    /// Whether findings and gaps end with 0.
    pub exit_zero: bool,
    /// The evidence.
    pub store: PathBuf,
    /// The reports.
    pub output: Output,
}

/// 2021-03-01T00:00:00Z, when Atlas stopped taking personal keys.
pub const CUTOFF: DateTime<Utc> = DateTime::from_timestamp(1_614_556_800, 0).expect("a time");
/// Days.
pub const ACTIVE_WITHIN: u32 = 90;
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of one request, before its user counts as not read.
pub const RETRIES: u32 = 4;
const OUT: &str = "reports";
const STORE: &str = "keysunset.db";
const FILE: &str = "keysunset.toml";

impl Settings {
    /// Resolves what was typed for `audit`.
    ///
    /// # Errors
    /// What is missing on the command line (usage), or what can't be used of the rest (bad input).
    pub fn resolve(
        typed: Asked,
        shown: Shown,
        config: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let (file_asked, file_shown) = read_file(config)?;
        let asked = typed.over(file_asked);
        let url =
            asked.url.ok_or_else(|| missing("which deployment to audit", "--url https://om.example:8080"))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not told by the parser of the flag, which repeats what it was given.
            return Err(Error::usage("the URL holds credentials, which do not belong there")
                .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY"));
        }
        let sources = asked_sources(asked.users, asked.user, asked.project, asked.org, asked.all_orgs);
        if sources.is_empty() {
            return Err(missing(
                "whom to audit",
                "--all-orgs, --org ID, --project ID, --users FILE or --user ID",
            ));
        }
        Ok(Self {
            name: asked.name.unwrap_or_else(|| url.origin().ascii_serialization()),
            product: asked.product.unwrap_or_else(|| product::guess(&url)),
            ca_cert: asked.ca_cert.map(|path| read(&path)).transpose()?,
            credentials: Credentials { default: Some(credential(env)?), ..Credentials::default() },
            sources,
            concurrency: asked.concurrency.unwrap_or(CONCURRENCY),
            rate: asked.rate,
            timeout: asked.timeout.unwrap_or(TIMEOUT),
            retries: asked.retries.unwrap_or(RETRIES),
            view: View::settle(shown.over(file_shown)),
            url,
        })
    }
}

impl View {
    /// Resolves what was typed for `report`.
    ///
    /// # Errors
    /// What can't be used of the configuration.
    pub fn resolve(shown: Shown, config: Option<&Path>) -> Result<Self, Error> {
        let (_, file) = read_file(config)?;
        Ok(Self::settle(shown.over(file)))
    }

    /// What was typed, and the defaults where nothing was.
    #[must_use]
    pub fn settle(shown: Shown) -> Self {
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
            exit_zero: shown.exit_zero.unwrap_or(false),
            store: shown.store.unwrap_or_else(|| out.join(STORE)),
            output: Output {
                out,
                formats,
                templates: shown.templates,
                csv_raw: shown.csv_raw.unwrap_or(false),
            },
        }
    }
}

impl Asked {
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

impl Shown {
    fn over(self, lower: Self) -> Self {
        Self {
            cutoff: self.cutoff.or(lower.cutoff),
            active_within: self.active_within.or(lower.active_within),
            fail_on: self.fail_on.or(lower.fail_on),
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
fn read_file(config: Option<&Path>) -> Result<(Asked, Shown), Error> {
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
    Ok((part(&text).map_err(wrong)?, part(&text).map_err(wrong)?))
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

/// Where credentials may stand, best first: our own, mongocli's, the Atlas CLI's two spellings.
const PAIRS: [(&str, &str); 4] = [
    ("KEYSUNSET_PUBLIC_KEY", "KEYSUNSET_PRIVATE_KEY"),
    ("MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"),
    ("MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"),
    ("MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"),
];

/// The first pair that is there; half a pair is a mistake, never passed over.
fn credential(env: &dyn Fn(&str) -> Option<String>) -> Result<Credential, Error> {
    let given = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    for (public_name, private_name) in PAIRS {
        match (given(public_name), given(private_name)) {
            (Some(public), Some(private)) => {
                return Ok(Credential { public, private: SecretString::from(private) });
            }
            (Some(_), None) => return Err(half(public_name, private_name)),
            (None, Some(_)) => return Err(half(private_name, public_name)),
            (None, None) => {}
        }
    }
    let tried = PAIRS.map(|(public, _)| public).join(", ");
    Err(Error::input(format!("no credentials\ntried: {tried}"))
        .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY to the two parts of an API key"))
}

fn half(there: &str, missing: &str) -> Error {
    Error::input(format!("half a credential: {there} is set, {missing} is not"))
        .help(format!("set {missing} too"))
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
    use secrecy::ExposeSecret as _;

    use super::*;

    fn env<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn our_own_variables_come_before_those_of_the_vendors_tools() {
        let both = [
            ("MCLI_PUBLIC_API_KEY", "theirs"),
            ("MCLI_PRIVATE_API_KEY", "t"),
            ("KEYSUNSET_PUBLIC_KEY", " ours\n"),
            ("KEYSUNSET_PRIVATE_KEY", "o\n"),
        ];
        let ours = credential(&env(&both)).unwrap();
        assert_eq!((ours.public.as_str(), ours.private.expose_secret()), ("ours", "o"));
        assert_eq!(credential(&env(&both[..2])).unwrap().public, "theirs");
    }

    #[test]
    fn half_a_credential_is_a_mistake() {
        for (there, missing) in [(0, "KEYSUNSET_PRIVATE_KEY"), (1, "KEYSUNSET_PUBLIC_KEY")] {
            let pair = [("KEYSUNSET_PUBLIC_KEY", "secret"), ("KEYSUNSET_PRIVATE_KEY", "secret")];
            let why = credential(&env(&[pair[there]])).map(|_| ()).unwrap_err().to_string();
            assert!(why.contains(&format!("{missing} is not")) && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn the_cutoff_is_the_day_of_the_contract() {
        assert_eq!(crate::model::rfc3339(CUTOFF), "2021-03-01T00:00:00Z");
    }

    #[test]
    fn every_setting_of_the_file_has_the_name_of_its_flag() {
        for setting in ["url", "all-orgs", "active-within", "csv-raw", "ca-cert", "format"] {
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
            let _ = (part::<Asked>(&text), part::<Shown>(&text));
        }
    }
}
