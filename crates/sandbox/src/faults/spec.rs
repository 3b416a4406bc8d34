//! What `--fault` takes: `KIND[xN][=ARG]@SHARE[:WHERE]`.

use std::fmt::{Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

use super::replacement::Replacement;
use super::transport::Transport;
use super::wrong_data::WrongData;

/// The grammar and all kinds, for `--help` and for a spec that is no fault. `docs/sandbox.md` explains each.
pub(crate) const HELP: &str = "\
Faults:
  KIND[xN][=ARG]@SHARE[:WHERE], such as 503x2@5%:keys

  xN     the request fails N times, then succeeds (default: fails always)
  SHARE  share of requests, 0 to 1 or 0% to 100%; the seed selects them
  WHERE  keys, users, orgs, byname, or several joined with +;
         digest: before digest authentication

  400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504
                       this status; ARG: an errorCode, empty, html, or a
                       Retry-After: seconds, date, remaining
  reset, close         connection closed before the first byte
  cut[=BYTE]           connection closed inside the response
  hang                 no response
  latency[=MS]         delayed response (1000)
  slow-drip[=MS]       one byte at a time, with this delay (100)
  html                 200 with an HTML page
  empty                200 without a body
  garbage              200 with random bytes
  truncated            200 with an incomplete document
  deep[=LEVELS]        200 with nested arrays (100000)
  gigabytes[=N]        200 with N GiB (4)
  endless              200 with an endless body
  content-type[=TYPE]  correct document, wrong Content-Type (text/html)
  total[=N|+N|-N]      wrong totalCount (+1)
  repeats              every page is the first page and has a next page
  never-ends[=ROWS]    every page has new rows (10) and a next page
  path-ids             IDs that are paths
  another-user         keys of another user
  redirect[=STATUS]    redirect to the same origin (307)
  redirect-loop        redirect to the same URL
  redirect-away=URL    redirect to another origin
  basic                challenge for Basic authentication
  stale                every digest is refused as stale, with a new nonce
  refused              every digest is refused";

/// One of `--fault`: what goes wrong, how often, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    spec: String,
    kind: FaultKind,
    failures: Option<u32>,
    pub(super) share: f64,
    /// The resources that it is limited to; none for no limit.
    pub(super) resources: Vec<Resource>,
    before_digest: bool,
}

/// What goes wrong, sorted by where it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The digest layer rejects what is right.
    Auth(AuthFault),
    /// Another answer takes the place of the service's, which does nothing.
    Replacement(Replacement),
    /// The service's answer holds wrong data.
    WrongData(WrongData),
    /// The service's answer is lost or damaged on its way.
    Transport(Transport),
}

/// How the digest layer rejects what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFault {
    /// Every challenge asks for Basic.
    Basic,
    /// Every nonce is called stale, and replaced by a new one.
    Stale,
    /// Every response to a challenge is refused.
    Refused,
}

/// What a fault is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `/users/{id}/keys` and below.
    Keys,
    /// `/users/{id}`, and the users of an organization, project or team.
    Users,
    /// Organizations, projects and teams themselves.
    Orgs,
    /// `/users/byName/{name}`.
    ByName,
}

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Not of the grammar, or of no kind that exists.
    #[error("`{0}` is no fault\n\n{HELP}")]
    Unknown(String),
    /// One of its parts is wrong.
    #[error("in the fault `{spec}`, {what}")]
    Part {
        /// As it was typed.
        spec: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl Fault {
    /// What goes wrong.
    #[must_use]
    pub fn kind(&self) -> &FaultKind {
        &self.kind
    }

    /// How often a request fails before it passes; `None` for always.
    #[must_use]
    pub fn failures(&self) -> Option<u32> {
        self.failures
    }

    /// Whether a retry is in vain.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.failures.is_none()
    }

    /// Whether it comes before the digest is looked at.
    pub(super) fn is_before_digest(&self) -> bool {
        self.before_digest || matches!(self.kind, FaultKind::Auth(_))
    }
}

fn share(text: &str) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(spec: &str) -> Result<Self, FaultError> {
        let unknown = || FaultError::Unknown(spec.to_owned());
        let wrong = |what: &str| FaultError::Part { spec: spec.to_owned(), what: what.to_owned() };
        let (what, rest) = spec.rsplit_once('@').ok_or_else(unknown)?;
        let (share_text, place) = rest.split_once(':').map_or((rest, None), |(share, at)| (share, Some(at)));
        let (name, argument) = what.split_once('=').map_or((what, None), |(name, text)| (name, Some(text)));
        let times =
            name.rsplit_once('x').filter(|(_, times)| times.bytes().all(|digit| digit.is_ascii_digit()));
        let (name, failures) = match times {
            Some((name, times)) => {
                let times = times.parse().ok().filter(|times| *times > 0);
                (name, Some(times.ok_or_else(|| wrong("xN is x1 or more"))?))
            }
            None => (name, None),
        };
        let kind = FaultKind::parse(name, argument).ok_or_else(unknown)?.map_err(wrong)?;
        let share = share(share_text).ok_or_else(|| wrong("the share is 0 to 1 or 0% to 100%"))?;
        let (mut resources, mut before_digest) = (Vec::new(), false);
        for word in place.iter().flat_map(|place| place.split('+')) {
            match word {
                "keys" => resources.push(Resource::Keys),
                "users" => resources.push(Resource::Users),
                "orgs" => resources.push(Resource::Orgs),
                "byname" => resources.push(Resource::ByName),
                "digest" => before_digest = true,
                _ => return Err(wrong("WHERE is keys, users, orgs, byname or digest, joined with +")),
            }
        }
        if !resources.is_empty() && !resources.iter().any(|resource| kind.fits(*resource)) {
            return Err(wrong("the kind does not go with WHERE: it needs a list that is there"));
        }
        Ok(Self { spec: spec.to_owned(), kind, failures, share, resources, before_digest })
    }
}

impl Display for Fault {
    /// As it was typed.
    fn fmt(&self, out: &mut Formatter) -> std::fmt::Result {
        out.write_str(&self.spec)
    }
}

impl FaultKind {
    /// Whether it is the same for all pages of a list.
    pub(super) fn alters_lists(&self) -> bool {
        matches!(self, Self::WrongData(wrong) if *wrong != WrongData::PathIds)
    }

    /// Whether an answer about this resource can have it.
    pub(super) fn fits(&self, resource: Resource) -> bool {
        match resource {
            Resource::Keys => true,
            Resource::Users | Resource::Orgs => *self != Self::WrongData(WrongData::AnotherUser),
            Resource::ByName => !self.alters_lists(),
        }
    }

    /// `None` for a name that no kind has, an error for an argument that is not the kind's.
    fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        let auth = || Some(AuthFault::parse(name, argument)?.map(Self::Auth));
        let replacement = || Some(Replacement::parse(name, argument)?.map(Self::Replacement));
        let wrong_data = || Some(WrongData::parse(name, argument)?.map(Self::WrongData));
        let transport = || Some(Transport::parse(name, argument)?.map(Self::Transport));
        auth().or_else(replacement).or_else(wrong_data).or_else(transport)
    }
}

impl AuthFault {
    fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "basic" => no_argument(argument, Self::Basic),
            "stale" => no_argument(argument, Self::Stale),
            "refused" => no_argument(argument, Self::Refused),
            _ => return None,
        })
    }
}

pub(super) fn no_argument<T>(argument: Option<&str>, kind: T) -> Result<T, &'static str> {
    if argument.is_none() { Ok(kind) } else { Err("the kind takes no argument") }
}

pub(super) fn number(argument: Option<&str>, default: u32, most: u32) -> Result<u32, &'static str> {
    match argument.map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err("the argument is a number from 1, and not too large"),
    }
}

/// Milliseconds, of a day at most.
pub(super) fn milliseconds(argument: Option<&str>, default: u32) -> Result<Duration, &'static str> {
    number(argument, default, 86_400_000).map(|ms| Duration::from_millis(ms.into()))
}
