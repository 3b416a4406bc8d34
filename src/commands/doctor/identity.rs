//! Who the credentials are, whose keys they may read, and whether there are any left to read.

use super::line::{Check, Line};
use crate::client::{Client, UserWithRoles, product};
use crate::exit::Error;
use crate::model::{Outcome, Product, ReadStatus, User};
use crate::sources::CheckedSource;

/// What the rest needs to know.
pub(super) struct Access {
    /// Somebody whose keys can be read, to measure with.
    pub(super) readable: Option<User>,
    /// Whether the deployment says that there are no personal keys any more.
    pub(super) removed: bool,
}

/// What a refusal says, on one line.
pub(super) fn refusal(outcome: &Outcome) -> String {
    let status = outcome.http_status.map_or_else(String::new, |status| format!("{status} "));
    let code = outcome.error_code.as_deref().map_or_else(String::new, |code| format!("{code}: "));
    format!("{status}{code}{}", outcome.detail.as_deref().unwrap_or("no reason given"))
}

/// Whether the digest layer and whoever stands behind it let the credentials in.
pub(super) fn credentials(outcome: &Outcome, lines: &mut Vec<Line>) -> Option<()> {
    let code = outcome.error_code.as_deref().unwrap_or_default();
    let line = match outcome.status {
        _ if code.contains("WHITELIST") || code.contains("ACCESS_LIST") => {
            let advice = "add this machine's address to the access list of the key";
            Line::failed(Check::Credentials, refusal(outcome), advice)
        }
        ReadStatus::Forbidden if code.is_empty() => {
            let advice = "check both parts of the key, and the file of credentials if there is one";
            Line::failed(Check::Credentials, refusal(outcome), advice)
        }
        ReadStatus::Read => {
            lines.push(Line::ok(Check::Credentials, "accepted"));
            return Some(());
        }
        ReadStatus::Forbidden | ReadStatus::Removed | ReadStatus::NotFound => {
            let found = format!("accepted, but may not list organizations: {}", refusal(outcome));
            let advice = "--all-orgs will find nobody; name users with --users or --user";
            lines.push(Line::warning(Check::Credentials, found, advice));
            return Some(());
        }
        ReadStatus::RateLimited | ReadStatus::Partial | ReadStatus::Malformed | ReadStatus::Error => {
            let advice = "try again later, with a lower --rate; if it stays, ask whoever runs the deployment";
            Line::failed(Check::Credentials, refusal(outcome), advice)
        }
    };
    lines.push(line);
    None
}

/// Tells who they are and what they may read.
pub(super) async fn lines(
    client: &Client,
    sources: &[CheckedSource],
    lines: &mut Vec<Line>,
) -> Result<Access, Error> {
    let me = match client.credential_owner().await? {
        Ok(UserWithRoles { user, roles }) => {
            let name = user.username.as_deref().unwrap_or_default();
            let roles = if roles.is_empty() { "no roles".to_owned() } else { roles.join(", ") };
            lines.push(Line::ok(Check::Identity, format!("the user {name} ({}): {roles}", user.id)));
            Some(user)
        }
        Err(outcome) if outcome.status == ReadStatus::NotFound => {
            lines.push(Line::ok(Check::Identity, "a programmatic key: no user has this name"));
            None
        }
        Err(outcome) => {
            let found = format!("the service does not say: {}", refusal(&outcome));
            lines.push(Line::ok(Check::Identity, found));
            None
        }
    };
    reach(client, sources, me, lines).await
}

/// Reads somebody else's keys. Who the maker of a programmatic key is can't be asked, so that one reads two users: at
/// least one of them is somebody else.
async fn reach(
    client: &Client,
    sources: &[CheckedSource],
    me: Option<User>,
    lines: &mut Vec<Line>,
) -> Result<Access, Error> {
    let needed = if me.is_some() { 1 } else { 2 };
    let users = match some_users(client, sources).await? {
        Ok(users) => users,
        Err(found) => {
            lines.push(no_list(sources, found));
            return Ok(Access { readable: me, removed: false });
        }
    };
    let others = users.into_iter().filter(|user| me.as_ref().is_none_or(|me| me.id != user.id));
    let mut access = Access { readable: me.clone(), removed: false };
    let mut read = 0;
    for user in others.take(needed) {
        let (_, outcome, _) = client.personal_keys(&user).await?;
        let line = match outcome.status {
            ReadStatus::Read => {
                read += 1;
                access.readable = Some(user);
                continue;
            }
            ReadStatus::Removed => {
                access = Access { readable: None, removed: true };
                Line::ok(Check::Reach, "nobody's keys: there are none to read any more")
            }
            ReadStatus::Forbidden => self_alone(client.product(), &outcome),
            ReadStatus::NotFound
            | ReadStatus::RateLimited
            | ReadStatus::Partial
            | ReadStatus::Malformed
            | ReadStatus::Error => {
                let found = format!("the keys of {} could not be read: {}", user.id, refusal(&outcome));
                Line::warning(Check::Reach, found, "try again; such users make an audit incomplete")
            }
        };
        lines.push(line);
        return Ok(access);
    }
    lines.push(if read == needed {
        Line::ok(Check::Reach, format!("lists users, and reads keys of others (tried with {read} of them)"))
    } else {
        let found = "lists users, but there are too few to try whether it reads the keys of others";
        Line::warning(Check::Reach, found, "if users come out as `forbidden`, see docs/doctor.md")
    });
    Ok(access)
}

fn no_list(sources: &[CheckedSource], found: String) -> Line {
    let needs_list = |source: &CheckedSource| match source {
        CheckedSource::AllOrganizations | CheckedSource::Organization(_) | CheckedSource::Project(_) => true,
        CheckedSource::List(_) | CheckedSource::User(_) => false,
    };
    if sources.iter().any(needs_list) {
        let advice = "use the key of an organization owner, or give a list with --users";
        return Line::failed(Check::Reach, found, advice);
    }
    Line::warning(Check::Reach, found, "give a list with --users, and see what the audit can read")
}

fn self_alone(product: Product, outcome: &Outcome) -> Line {
    let found = format!("lists users, but reads its own keys alone: {}", refusal(outcome));
    let advice = match product {
        Product::OpsManager => {
            "take a key of a user with the role GLOBAL_OWNER, who alone may read everybody's; otherwise the audit is incomplete"
        }
        Product::CloudManager | Product::Atlas => {
            "nobody may read another user's keys here: give each user's own credential with --credentials FILE"
        }
    };
    Line::warning(Check::Reach, found, advice)
}

/// Users of the first organization that is asked for, or else seen; or why there are none.
async fn some_users(client: &Client, sources: &[CheckedSource]) -> Result<Result<Vec<User>, String>, Error> {
    let asked = sources.iter().find_map(|source| match source {
        CheckedSource::Organization(id) => Some(id.clone()),
        CheckedSource::List(_)
        | CheckedSource::User(_)
        | CheckedSource::Project(_)
        | CheckedSource::AllOrganizations => None,
    });
    let id = match asked {
        Some(id) => id,
        None => match client.organizations().await? {
            (ids, _) if !ids.is_empty() => ids[0].clone(),
            (_, outcome) if outcome.status.is_complete() => {
                return Ok(Err("it sees no organization, and so no list of users".to_owned()));
            }
            (_, outcome) => return Ok(Err(format!("it may not list organizations: {}", refusal(&outcome)))),
        },
    };
    let (users, outcome) = client.first_users(&id).await?;
    Ok(if outcome.status.is_complete() {
        Ok(users)
    } else {
        Err(format!("it may not list the users of organization {id}: {}", refusal(&outcome)))
    })
}

/// Whether the deployment still has what is to be audited.
pub(super) fn version(client: &Client, removed: bool) -> Line {
    let product = client.product();
    let version = client.service_version();
    let found = format!("{} {}", product.title(), version.unwrap_or("of a version that it does not tell"));
    if removed || product::has_removed_personal_keys(product, version) {
        let found = format!("{found}, which has no personal keys any more");
        let advice = "nothing to audit: those that there were stopped to work with the removal";
        return Line::warning(Check::Version, found, advice);
    }
    match (product, version) {
        (Product::OpsManager, None) => {
            let advice =
                "an Ops Manager tells it; is --product right, and no proxy in the way that drops headers?";
            Line::warning(Check::Version, found, advice)
        }
        (Product::OpsManager, Some(_)) => {
            Line::ok(Check::Version, format!("{found}, which has personal keys; 5.0 cuts them all off"))
        }
        (Product::CloudManager | Product::Atlas, _) => {
            Line::ok(Check::Version, format!("{found}, which does not say that personal keys are gone"))
        }
    }
}
