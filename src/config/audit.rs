//! The settings of an audit.

use url::Url;
use zeroize::Zeroizing;

use super::file::NAME as FILE;
use super::{CONCURRENCY, FileOrigin, PATIENCE, RETRIES, TIMEOUT, read, typed_url, without_credentials};
use crate::cli::{AuditArgs, CredentialArgs, DeploymentArgs, PaceArgs, ScopeArgs};
use crate::client::{Connection, is_loopback, product};
use crate::console::warn;
use crate::context::Context;
use crate::credentials::{self, Commands, Profile};
use crate::exit::Error;
use crate::sources::Source;

pub(crate) struct AuditSettings {
    /// What the reports call the deployment.
    pub name: String,
    /// What they say about where it is.
    pub address: String,
    /// How to reach it, and with whose keys.
    pub connection: Connection,
    /// The file in the working folder from which the URL comes, where no option named it.
    pub url_file: Option<&'static str>,
    pub sources: Vec<Source>,
}

/// Whether a command needs users.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// An audit.
    Required,
    /// What looks whether an audit would do.
    Optional,
}

impl AuditSettings {
    /// From what was typed and what the file says.
    ///
    /// # Errors
    /// What is missing on the command line (usage), or what can't be used of the rest (bad input).
    pub(crate) fn resolve(
        typed: AuditArgs,
        file: AuditArgs,
        origin: FileOrigin,
        scope: Scope,
        context: &Context,
    ) -> Result<Self, Error> {
        let is_unnamed = origin == FileOrigin::WorkingFolder;
        let is_url_of_file = typed.deployment.url.is_none() && file.deployment.url.is_some();
        let url_file = (is_unnamed && is_url_of_file).then_some(FILE);
        let commands = if is_unnamed && typed.credentials.credentials.is_none() {
            Commands::Refused
        } else {
            Commands::Allowed
        };
        // Every setting by name, here and below, so that a new one does not compile until it is used.
        let AuditArgs { deployment, credentials, scope: users, pace } = typed.with_fallback(file);
        let CredentialArgs { credentials: credentials_file, profile } = credentials;
        let DeploymentArgs { url, name, product, ca_cert, client_cert, insecure_skip_verify } = deployment;
        let PaceArgs { concurrency, rate, timeout, retries, patience } = pace;
        let profile = profile.as_deref().map(|name| Profile::find(name, context.env)).transpose()?;
        let mut fallback = credentials::deployment(profile.as_ref(), context.env);
        let url = match &url {
            Some(text) => typed_url(text)?,
            None => fallback.url.take().unwrap_or_else(no_deployment).and_then(without_credentials)?,
        };
        let sources = sources(users, fallback.org.take(), scope)?;
        let (fallback_product, fallback_ca_cert, skip_verify) = fallback.at(&url);
        let file = credentials_file.as_deref().map(|path| (path, commands));
        let credentials = credentials::find(file, profile.as_ref(), context)
            .map_err(|error| error.and(sources.iter().filter_map(Source::file_error)))?;
        let settings = Self {
            name: name.unwrap_or_else(|| url.origin().ascii_serialization()),
            address: url.to_string(),
            connection: Connection {
                product: product.or(fallback_product).unwrap_or_else(|| product::guess(&url)),
                ca_cert: ca_cert
                    .as_deref()
                    .or(fallback_ca_cert)
                    .map(|path| read("the certificate file", path))
                    .transpose()?,
                client_cert: client_cert
                    .as_deref()
                    .map(|path| read("the client certificate", path))
                    .transpose()?
                    .map(Zeroizing::new),
                insecure_skip_verify: insecure_skip_verify.unwrap_or(skip_verify),
                credentials,
                concurrency: concurrency.unwrap_or(CONCURRENCY),
                rate,
                timeout: timeout.unwrap_or(TIMEOUT),
                retries: retries.unwrap_or(RETRIES),
                patience: patience.unwrap_or(PATIENCE),
                url,
            },
            url_file,
            sources,
        };
        settings.warn();
        Ok(settings)
    }

    /// Whether what is read passes the network in the clear: plain http to another host than this one.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        self.connection.url.scheme() == "http" && !is_loopback(&self.connection.url)
    }

    /// Warns of what makes the evidence doubtful.
    fn warn(&self) {
        if self.connection.insecure_skip_verify {
            warn(
                "certificates are NOT verified (--insecure-skip-verify): other machines on the network can forge \
                 responses",
                Some("trust a private certificate authority with --ca-cert FILE instead"),
            );
        }
        if self.is_in_the_clear() {
            let host = self.connection.url.host_str().unwrap_or_default();
            let why =
                format!("plain http to {host}: other machines on the network can read and change responses");
            warn(&why, Some("use an https URL"));
        }
    }
}

fn no_deployment() -> Result<Url, Error> {
    Err(missing("no deployment URL", "--url https://om.example:8080"))
}

fn missing(what: &str, flag: &str) -> Error {
    Error::usage(what).help(format!("add {flag}, or set it in {FILE}"))
}

/// Those of the settings, or else the organization of a profile.
fn sources(set: ScopeArgs, org_of_profile: Option<String>, scope: Scope) -> Result<Vec<Source>, Error> {
    let ScopeArgs { users, user, org, project, all_orgs } = set;
    let mut sources: Vec<_> = users.into_iter().map(Source::File).collect();
    sources.extend(user.into_iter().map(Source::User));
    // A shell on Windows leaves a carriage return behind what it takes from another program.
    let trimmed = |id: String| id.trim().to_owned();
    sources.extend(project.into_iter().map(trimmed).map(Source::Project));
    sources.extend(org.into_iter().map(trimmed).map(Source::Organization));
    sources.extend((all_orgs == Some(true)).then_some(Source::AllOrganizations));
    if sources.is_empty() {
        sources.extend(org_of_profile.map(Source::Organization));
    }
    if sources.is_empty() && scope == Scope::Required {
        return Err(missing(
            "no users selected",
            "--all-orgs, --org ID, --project ID, --users FILE or --user ID",
        ));
    }
    Ok(sources)
}
