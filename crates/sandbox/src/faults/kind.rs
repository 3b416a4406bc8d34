//! What can go wrong, sorted by where in the way of an answer it happens.

use std::time::Duration;

use super::spec::Resource;

/// The statuses that a fault may have.
const STATUSES: [u16; 11] = [400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504];

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The digest layer denies what is right.
    Auth(AuthFault),
    /// Another answer takes the place of the service's, which is not asked.
    Replacement(Replacement),
    /// The service answers, and what it says is not the truth.
    WrongData(WrongData),
    /// The service answers, and its answer suffers on its way.
    Transport(Transport),
}

/// How the digest layer denies what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFault {
    /// It asks for Basic, whatever comes.
    Basic,
    /// It calls every nonce stale, and hands out a new one.
    Stale,
    /// It refuses every answer.
    Refused,
}

/// An answer in place of the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// An answer with this status.
    Status(u16, StatusDetail),
    /// A proxy's page with status 200.
    Html,
    /// Status 200 and no byte.
    Empty,
    /// Status 200 and bytes that are no text.
    Garbage,
    /// A page whose one row is so many arrays, each in the other.
    Deep(u32),
    /// A page of so many GiB, which tells its length.
    Gigabytes(u32),
    /// A page that never ends, and tells no length.
    Endless,
    /// With this status, to the same path with a mark in the query, which is never hit itself.
    Redirect(u16),
    /// To the very same address.
    RedirectLoop,
    /// To the same path at this origin.
    RedirectAway(String),
}

/// What an answer with a bad status says besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusDetail {
    /// An error document with the code that fits the status.
    Document,
    /// An error document with this code.
    Code(String),
    /// No body.
    Empty,
    /// A proxy's page.
    Html,
    /// `Retry-After` in seconds.
    RetryAfter(u32),
    /// `Retry-After` as a date, two seconds ahead.
    RetryDate,
    /// `RateLimit-Remaining: 0`.
    Remaining,
}

/// What is not the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongData {
    /// A list's `totalCount`.
    Total(WrongTotal),
    /// Every page of the list holds what the first holds, and links to the next.
    Repeats,
    /// Every page of the list holds so many rows that no other has, and links to the next.
    NeverEnds(u32),
    /// A list of keys is another user's.
    AnotherUser,
    /// Every id of a list or of a user is a path.
    PathIds,
}

/// A `totalCount` that is not the truth. One that would be by chance is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongTotal {
    /// So much more or, below 0, less.
    Offset(i64),
    /// This number.
    Exactly(u64),
}

/// What an answer suffers on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The connection is reset before the first byte.
    Reset,
    /// The connection is closed before the first byte.
    Close,
    /// The connection ends after so many bytes of the answer, or within it where the seed has it; closed or reset, as
    /// the seed has it.
    Cut(Option<u64>),
    /// It does not come until the client goes away.
    Hang,
    /// It comes so much later.
    Latency(Duration),
    /// It comes byte by byte, so far apart, from the status line on.
    SlowDrip(Duration),
    /// The body stops in the middle, and its length says that it is whole.
    Truncated,
    /// The body is called something else.
    ContentType(String),
}

impl FaultKind {
    /// Whether it is one and the same for all pages of a list.
    pub(super) fn bends_lists(&self) -> bool {
        matches!(self, Self::WrongData(bent) if *bent != WrongData::PathIds)
    }

    /// Whether this kind of thing can suffer from it.
    pub(super) fn lives_in(&self, resource: Resource) -> bool {
        match resource {
            Resource::Keys => true,
            Resource::Users | Resource::Orgs => *self != Self::WrongData(WrongData::AnotherUser),
            Resource::ByName => !self.bends_lists(),
        }
    }

    /// `None` for a name that no kind has, an error for an argument that is not the kind's.
    pub(super) fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        let parsed = AuthFault::parse(name).map(Self::Auth).map(|kind| bare(argument, kind));
        let parsed = parsed.or_else(|| Some(Replacement::parse(name, argument)?.map(Self::Replacement)));
        let parsed = parsed.or_else(|| Some(WrongData::parse(name, argument)?.map(Self::WrongData)));
        parsed.or_else(|| Some(Transport::parse(name, argument)?.map(Self::Transport)))
    }
}

impl AuthFault {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "basic" => Some(Self::Basic),
            "stale" => Some(Self::Stale),
            "refused" => Some(Self::Refused),
            _ => None,
        }
    }
}

impl Replacement {
    fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        if let Some(status) = name.parse().ok().filter(|status| STATUSES.contains(status)) {
            return Some(StatusDetail::parse(argument).map(|said| Self::Status(status, said)));
        }
        Some(match name {
            "html" => bare(argument, Self::Html),
            "empty" => bare(argument, Self::Empty),
            "garbage" => bare(argument, Self::Garbage),
            "deep" => number(argument, 100_000, 1_000_000).map(Self::Deep),
            "gigabytes" => number(argument, 4, 1 << 20).map(Self::Gigabytes),
            "endless" => bare(argument, Self::Endless),
            "redirect" => match argument.unwrap_or("307").parse() {
                Ok(status @ (301 | 302 | 303 | 307 | 308)) => Ok(Self::Redirect(status)),
                Ok(_) | Err(_) => Err("the argument is 301, 302, 303, 307 or 308"),
            },
            "redirect-loop" => bare(argument, Self::RedirectLoop),
            "redirect-away" => origin(argument.unwrap_or_default()).map(Self::RedirectAway),
            _ => return None,
        })
    }
}

impl StatusDetail {
    fn parse(argument: Option<&str>) -> Result<Self, &'static str> {
        let is_code = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        Ok(match argument {
            None => Self::Document,
            Some("empty") => Self::Empty,
            Some("html") => Self::Html,
            Some("date") => Self::RetryDate,
            Some("remaining") => Self::Remaining,
            Some(code) if is_code(code) && !code.is_empty() => Self::Code(code.to_owned()),
            Some(seconds) => Self::RetryAfter(seconds.parse().map_err(
                |_| "the argument is empty, html, date, remaining, a number of seconds or an ERROR_CODE",
            )?),
        })
    }
}

impl WrongData {
    fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "total" => WrongTotal::parse(argument.unwrap_or("+1")).map(Self::Total),
            "repeats" => bare(argument, Self::Repeats),
            "never-ends" => number(argument, 10, 500).map(Self::NeverEnds),
            "another-user" => bare(argument, Self::AnotherUser),
            "path-ids" => bare(argument, Self::PathIds),
            _ => return None,
        })
    }
}

impl WrongTotal {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let off = text.starts_with(['+', '-']);
        let lie = if off { text.parse().map(Self::Offset) } else { text.parse().map(Self::Exactly) };
        let lie = lie.ok().filter(|lie| *lie != Self::Offset(0));
        lie.ok_or("the argument is a number, +1 and more or -1 and less")
    }
}

impl Transport {
    fn parse(name: &str, argument: Option<&str>) -> Option<Result<Self, &'static str>> {
        Some(match name {
            "reset" => bare(argument, Self::Reset),
            "close" => bare(argument, Self::Close),
            "cut" => match argument.map(str::parse) {
                None => Ok(Self::Cut(None)),
                Some(Ok(byte)) => Ok(Self::Cut(Some(byte))),
                Some(Err(_)) => Err("the argument is a number of bytes"),
            },
            "hang" => bare(argument, Self::Hang),
            "latency" => pause(argument, 1_000).map(Self::Latency),
            "slow-drip" => pause(argument, 100).map(Self::SlowDrip),
            "truncated" => bare(argument, Self::Truncated),
            "content-type" => content_type(argument.unwrap_or("text/html")).map(Self::ContentType),
            _ => return None,
        })
    }
}

fn bare<T>(argument: Option<&str>, kind: T) -> Result<T, &'static str> {
    if argument.is_none() { Ok(kind) } else { Err("the kind takes no argument") }
}

fn number(argument: Option<&str>, default: u32, most: u32) -> Result<u32, &'static str> {
    match argument.map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err("the argument is a number from 1, and not too large"),
    }
}

/// Milliseconds, of a day at most.
fn pause(argument: Option<&str>, default: u32) -> Result<Duration, &'static str> {
    number(argument, default, 86_400_000).map(|ms| Duration::from_millis(ms.into()))
}

fn content_type(text: &str) -> Result<String, &'static str> {
    let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if sound { Ok(text.to_owned()) } else { Err("the argument is a content type") }
}

fn origin(text: &str) -> Result<String, &'static str> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let origin = url.map(|url| url.origin().ascii_serialization());
    origin.ok_or("the argument is the other origin, such as http://127.0.0.1:8081")
}
