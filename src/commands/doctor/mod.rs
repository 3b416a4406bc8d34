//! `keysunset doctor`: what an audit needs, tried step by step, each with what to do where it is not well.
//!
//! It sends GET requests alone, by the audit's own client. A step that fails ends it, since the next would only repeat
//! the failure.

mod forecast;
mod identity;
mod lists;
mod step;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use self::forecast::Pace;
use self::lists::Lists;
use self::step::{Status, Step, StepResult};
use crate::cli;
use crate::client::{Certificate, Client, Connection, FirstResponse, ServerAuth, TrustProblem, Unreachable};
use crate::config::{AuditSettings, Scope, SettingsFile};
use crate::console::{duration, print, print_json};
use crate::context::{Clock, Context};
use crate::exit::{Error, Exit};
use crate::model::rfc3339;
use crate::policy::{CLOCK_TOLERANCE, is_plausible_skew};
use crate::sources::Source;

/// A certificate that ends within these days is likely to end while somebody relies on it.
const ENDING: TimeDelta = TimeDelta::days(30);

pub(crate) async fn run(args: cli::Doctor, context: &Context<'_>) -> Result<Exit, Error> {
    let file = SettingsFile::read(args.config.as_deref(), context.env)?;
    let settings = AuditSettings::resolve(args.settings, file.audit, file.origin, Scope::Optional, context)?;
    let mut results = Vec::new();
    // What ended it early is the last line.
    let _ = examine(settings, context.clock, &mut results).await;
    if args.json {
        print_json(&step::document(&results))?;
    } else {
        print(&step::page(&results, context.quiet))?;
    }
    let failed = results.iter().any(|result| result.status == Status::Failed);
    Ok(if failed { Exit::BadInput } else { Exit::Clean })
}

async fn examine(settings: AuditSettings, clock: Clock, results: &mut Vec<StepResult>) -> Option<()> {
    let sources = settings.sources.iter().map(Source::check).collect::<Result<Vec<_>, _>>();
    let sources = or_report(sources, Step::Settings, results)?;
    let in_the_clear = settings.is_in_the_clear();
    let from =
        settings.url_file.map_or_else(String::new, |file| format!(", from {file} in the working folder"));
    let to = &settings.connection;
    let credentials = to.credentials.describe();
    let pace = Pace { concurrency: to.concurrency, rate: to.rate };
    let trust = Trust { verified: !to.insecure_skip_verify, in_the_clear };
    // It is to say what is wrong now.
    let impatient = Connection { patience: Duration::ZERO, ..settings.connection };
    let client = or_report(Client::new(impatient), Step::Settings, results)?;
    let found = format!("{} ({}){from}, as {credentials}", client.base(), client.product().title());
    results.push(Step::Settings.ok(found));
    name(&client, results).await?;
    let first = connection(&client, &trust, results).await?;
    challenge(&first.auth, results)?;
    let outcome = or_report(client.try_credentials().await, Step::Credentials, results)?;
    identity::credentials(&outcome, client.base(), results)?;
    let me = or_report(identity::owner(&client, results).await, Step::Identity, results)?;
    let lists = or_report(Lists::read(&client, &sources).await, Step::Reach, results)?;
    let access = identity::reach(&client, &sources, &lists, me, results).await;
    let access = or_report(access, Step::Reach, results)?;
    results.push(identity::version(&client, access.removed));
    results.extend(first.date.map(|date| clock_line(date, client.clock_skew(), clock)));
    let count = lists.count().filter(|_| !sources.is_empty());
    let forecast = forecast::results(&client, &pace, count.as_ref(), access.readable.as_ref()).await;
    results.extend(forecast);
    Some(())
}

/// The value, or nothing and a line that says why.
fn or_report<T, E: Into<Error>>(
    result: Result<T, E>,
    step: Step,
    results: &mut Vec<StepResult>,
) -> Option<T> {
    result.map_err(|why| results.push(step.error(why.into()))).ok()
}

async fn name(client: &Client, results: &mut Vec<StepResult>) -> Option<()> {
    let host = client.base().host_str().unwrap_or_default();
    if let Some(proxy) = client.proxy() {
        results.push(Step::Name.ok(format!("left to the proxy {proxy}, which connects to {host}")));
        return Some(());
    }
    match client.addresses().await {
        Err(why) => {
            let found = format!("{host} has no address: {why}");
            let advice = "check --url and the network; behind a proxy set HTTPS_PROXY";
            results.push(Step::Name.failed(found, advice));
            return None;
        }
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let is_name = client.base().domain().is_some();
            let found = if is_name {
                format!("{host} is {}", addresses.join(", "))
            } else {
                format!("{host}, an address")
            };
            results.push(Step::Name.ok(found));
        }
    }
    Some(())
}

/// How far the connection itself can be trusted.
struct Trust {
    verified: bool,
    in_the_clear: bool,
}

async fn connection(client: &Client, trust: &Trust, results: &mut Vec<StepResult>) -> Option<FirstResponse> {
    match client.first_response().await {
        Ok(first) => {
            let found = format!("{}, answered {} in {}", first.http, first.status, duration(first.latency));
            results.push(Step::Connection.ok(found));
            results.push(match &first.certificate {
                Some(certificate) if trust.verified => trusted(certificate, Utc::now()),
                Some(certificate) => Step::Certificate.warning(
                    format!("not verified: {}", description(certificate)),
                    "leave --insecure-skip-verify out: --ca-cert FILE trusts a private authority",
                ),
                None if client.base().scheme() == "https" => Step::Certificate
                    .warning("it can't be read", "the connection is encrypted; look with `openssl s_client`"),
                None => plain(trust.in_the_clear),
            });
            Some(first)
        }
        Err(Unreachable { why, advice, untrusted: None }) => {
            results.push(Step::Connection.failed(why, advice));
            None
        }
        Err(Unreachable { why, untrusted: Some((problem, certificate)), .. }) => {
            results.push(Step::Connection.failed(why, "the server's certificate is not accepted"));
            results.push(untrusted(problem, &certificate, Utc::now()));
            None
        }
    }
}

fn plain(in_the_clear: bool) -> StepResult {
    if !in_the_clear {
        return Step::Certificate.ok("none: plain http, which stays on this machine");
    }
    Step::Certificate.warning(
        "none: plain http, so anyone on the network can read every response and guess the secret from the digests",
        "use the https address of the deployment",
    )
}

fn description(certificate: &Certificate) -> String {
    format!(
        "{}, issued by {}, from {} to {}",
        certificate.subject,
        certificate.issuer,
        rfc3339(certificate.not_before),
        rfc3339(certificate.not_after)
    )
}

/// The clock is the system's, by which TLS goes, too.
fn trusted(certificate: &Certificate, now: DateTime<Utc>) -> StepResult {
    let left = certificate.remaining(now);
    let found = format!("{} ({} days left)", description(certificate), left.num_days());
    if left < ENDING {
        let advice = "renew it: after its last day, no audit can connect";
        return Step::Certificate.warning(found, advice);
    }
    Step::Certificate.ok(found)
}

fn untrusted(problem: TrustProblem, certificate: &Certificate, now: DateTime<Utc>) -> StepResult {
    let advice = match problem.refined_by(certificate, now) {
        TrustProblem::UnknownIssuer | TrustProblem::NotTrusted if certificate.is_self_signed() => {
            "it is self-signed: check that it is the certificate of the server, then name it with --ca-cert FILE"
        }
        problem => problem.advice(),
    };
    Step::Certificate.failed(description(certificate), advice)
}

fn challenge(auth: &ServerAuth, results: &mut Vec<StepResult>) -> Option<()> {
    let step = Step::Challenge;
    let (step, goes_on) = match auth {
        ServerAuth::Digest { realm, algorithm, qop } => {
            let qop =
                qop.as_deref().map_or_else(|| "no qop (RFC 2069)".to_owned(), |qop| format!("qop {qop}"));
            (step.ok(format!("Digest for realm {realm:?}, {algorithm}, {qop}")), true)
        }
        ServerAuth::Unsupported(why) => {
            let advice = "keysunset answers HTTP Digest alone; is this the API itself, not a proxy?";
            (step.failed(why, advice), false)
        }
        ServerAuth::None => {
            let advice = "the API always asks; is this a proxy that adds credentials of its own?";
            (step.warning("none: it answers without credentials", advice), true)
        }
        ServerAuth::Refused(outcome) => {
            let found = format!("it refuses before it asks: {}", identity::refusal(outcome));
            (step.warning(found, "what follows shows whether credentials change that"), true)
        }
        ServerAuth::UnexpectedResponse { found, advice } => (step.failed(found, advice), false),
    };
    results.push(step);
    goes_on.then_some(())
}

/// `date` is that of the first response, and `ahead` how far it was ahead of this machine's clock when it came, in seconds.
fn clock_line(date: DateTime<Utc>, ahead: Option<i64>, clock: Clock) -> StepResult {
    let ahead = match clock.fixed() {
        Some(fixed) => (date - fixed).num_seconds(),
        None => ahead.unwrap_or_else(|| (date - Utc::now()).num_seconds()),
    };
    let apart = duration(Duration::from_secs(ahead.unsigned_abs()));
    let whose = if clock.fixed().is_some() { "SOURCE_DATE_EPOCH" } else { "this machine" };
    if ahead.unsigned_abs() <= CLOCK_TOLERANCE.unsigned_abs() {
        let tolerance = duration(Duration::from_secs(CLOCK_TOLERANCE.unsigned_abs()));
        return Step::Clock.ok(format!("{whose} and the service agree within {tolerance}"));
    }
    let side = if ahead < 0 { "ahead of" } else { "behind" };
    let found =
        format!("{whose} is {apart} {side} the service, whose first response is of {}", rfc3339(date));
    let advice = match clock.fixed() {
        Some(_) => {
            "ages are calculated with SOURCE_DATE_EPOCH: unset it, if they are to be counted from today"
        }
        None if is_plausible_skew(ahead) => {
            "ages are calculated with the clock of the deployment: set the clock that is wrong (NTP)"
        }
        None => {
            "this is no clock in use: ages are calculated with the clock of this machine; check it, and any proxy that \
             sets `Date`"
        }
    };
    Step::Clock.warning(found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(issuer: &str) -> Certificate {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Certificate {
            subject: "CN=om.example".to_owned(),
            issuer: issuer.to_owned(),
            not_before: at(0),
            not_after: at(100 * 86_400),
        }
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning() {
        let on_day = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        let status = |day| trusted(&certificate("CN=A"), on_day(day)).status;
        assert_eq!((status(70), status(71)), (Status::Ok, Status::Warning));
    }

    #[test]
    fn the_advice_on_a_certificate_fits_what_is_wrong_with_it() {
        let on_day = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        for (problem, issuer, day, said) in [
            (TrustProblem::UnknownIssuer, "CN=A", 101, "expired"),
            (TrustProblem::UnknownIssuer, "CN=A", -1, "not valid yet"),
            (TrustProblem::NotTrusted, "CN=om.example", 1, "self-signed"),
            (TrustProblem::OtherHost, "CN=om.example", 1, "host name"),
            (TrustProblem::UnknownIssuer, "CN=A", 1, "--ca-cert"),
        ] {
            let page = step::page(&[untrusted(problem, &certificate(issuer), on_day(day))], true);
            assert!(page.contains(said), "{page}");
        }
    }
}
