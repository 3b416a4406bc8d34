//! Who the credentials are, whose keys they may read, and whether there are any left to read.

use std::collections::BTreeSet;

use url::Url;

use super::lists::Lists;
use super::step::{Step, StepResult};
use crate::client::{Client, UsersOf, WRONG_BASE_HELP, is_access_list, is_wrong_base, product};
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

/// Whether the digest layer, and the API behind it at `base`, accept the credentials.
pub(super) fn credentials(outcome: &Outcome, base: &Url, results: &mut Vec<StepResult>) -> Option<()> {
    let code = outcome.error_code.as_deref().unwrap_or_default();
    let step = match outcome.status {
        _ if is_wrong_base(outcome) => {
            let found = format!("accepted, but {base} is not the base path of the API: {}", refusal(outcome));
            Step::Credentials.failed(found, WRONG_BASE_HELP)
        }
        _ if is_access_list(code) => {
            let advice = "add this machine's IP address to the access list of the key";
            Step::Credentials.failed(refusal(outcome), advice)
        }
        ReadStatus::Forbidden if code.is_empty() => {
            let advice = "check both parts of the key, and the credentials file if you use one";
            Step::Credentials.failed(refusal(outcome), advice)
        }
        ReadStatus::Read => {
            results.push(Step::Credentials.ok("accepted"));
            return Some(());
        }
        ReadStatus::Forbidden | ReadStatus::Removed | ReadStatus::NotFound => {
            let found = format!("accepted, but may not list organizations: {}", refusal(outcome));
            let advice = "--all-orgs will find no users; name users with --users or --user";
            results.push(Step::Credentials.warning(found, advice));
            return Some(());
        }
        ReadStatus::RateLimited | ReadStatus::Partial | ReadStatus::Malformed | ReadStatus::Error => {
            let advice = "try again later, with a lower --rate; if it fails again, ask the administrator of the deployment";
            Step::Credentials.failed(refusal(outcome), advice)
        }
    };
    results.push(step);
    None
}

/// Who the credentials are; `None` for a programmatic key, or where the service does not say.
pub(super) async fn owner(client: &Client, results: &mut Vec<StepResult>) -> Result<Option<User>, Error> {
    Ok(match client.credential_owner().await? {
        Ok(user) => {
            let name = user.username.as_deref().unwrap_or_default();
            let roles = role_names(&user);
            let roles = if roles.is_empty() { "no roles".to_owned() } else { roles.join(", ") };
            results.push(Step::Identity.ok(format!("the user {name} ({}): {roles}", user.id_or_empty())));
            Some(user)
        }
        Err(outcome) if outcome.status == ReadStatus::NotFound => {
            results.push(Step::Identity.ok("a programmatic API key"));
            None
        }
        Err(outcome) => {
            let found = format!("the service does not say: {}", refusal(&outcome));
            results.push(Step::Identity.ok(found));
            None
        }
    })
}

/// The names of a user's roles, each once, sorted.
fn role_names(user: &User) -> Vec<&str> {
    let roles = user.origin.memberships.iter().filter_map(|membership| membership.roles.as_ref()).flatten();
    roles.map(|role| role.name.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Reads somebody else's keys. Who the maker of a programmatic key is can't be asked, so that one reads two users: at
/// least one of them is somebody else.
pub(super) async fn reach(
    client: &Client,
    sources: &[CheckedSource],
    lists: &Lists,
    me: Option<User>,
    results: &mut Vec<StepResult>,
) -> Result<Access, Error> {
    let needed = if me.is_some() { 1 } else { 2 };
    let users = if needs_lists(sources) {
        if let Some(step) = refused_lists(&lists.refused) {
            results.push(step);
            return Ok(Access { readable: me, removed: false });
        }
        lists.users.clone()
    } else {
        match some_users(client).await? {
            Ok(users) => users,
            Err(found) => {
                let advice = "name users with --users; the audit shows which users can be read";
                results.push(Step::Reach.warning(found, advice));
                return Ok(Access { readable: me, removed: false });
            }
        }
    };
    let others = users.into_iter().filter(|user| me.as_ref().is_none_or(|me| me.id != user.id));
    let mut access = Access { readable: me.clone(), removed: false };
    let mut read = 0;
    for user in others.take(needed) {
        let (_, outcome, _) = client.personal_keys(&user).await?;
        let step = match outcome.status {
            ReadStatus::Read => {
                read += 1;
                access.readable = Some(user);
                continue;
            }
            ReadStatus::Removed => {
                access = Access { readable: None, removed: true };
                Step::Reach.ok("no keys: the deployment no longer has personal keys")
            }
            ReadStatus::Forbidden => self_alone(client.product(), &outcome),
            ReadStatus::NotFound
            | ReadStatus::RateLimited
            | ReadStatus::Partial
            | ReadStatus::Malformed
            | ReadStatus::Error => {
                let found =
                    format!("the keys of {} could not be read: {}", user.id_or_empty(), refusal(&outcome));
                Step::Reach.warning(found, "try again; a user who can't be read makes an audit incomplete")
            }
        };
        results.push(step);
        return Ok(access);
    }
    results.push(if read == needed {
        Step::Reach.ok(format!("lists users, and reads keys of other users (users tested: {read})"))
    } else {
        let found = "lists users, but too few to test access to keys of other users";
        Step::Reach.warning(found, "if users are reported as `forbidden`, see docs/doctor.md")
    });
    Ok(access)
}

/// Whether an audit reads lists of the deployment.
fn needs_lists(sources: &[CheckedSource]) -> bool {
    sources.iter().any(|source| match source {
        CheckedSource::AllOrganizations | CheckedSource::Organization(_) | CheckedSource::Project(_) => true,
        CheckedSource::List(_) | CheckedSource::User(_) => false,
    })
}

/// The lists that can't be read, if there are any: an audit needs them all.
fn refused_lists(refused: &[(String, Outcome)]) -> Option<StepResult> {
    let (_, first) = refused.first()?;
    let advice = match first.status {
        _ if is_access_list(first.error_code.as_deref().unwrap_or_default()) => {
            "add this machine's IP address to the access list of the key"
        }
        ReadStatus::Forbidden => "use the key of an organization owner, or name users with --users",
        ReadStatus::NotFound | ReadStatus::Removed | ReadStatus::Read => {
            "check the IDs and the roles of the key, or name users with --users"
        }
        ReadStatus::Error if first.http_status.is_none() => {
            "try again, with a larger --timeout if it is slow; without all users of a list the audit is incomplete"
        }
        ReadStatus::RateLimited | ReadStatus::Partial | ReadStatus::Malformed | ReadStatus::Error => {
            "try again; without all users of a list the audit is incomplete"
        }
    };
    let lists = refused.iter().map(|(list, outcome)| format!("{list}: {}", refusal(outcome)));
    let found = format!("can't list the users of {}", lists.collect::<Vec<_>>().join("; "));
    Some(Step::Reach.failed(found, advice))
}

fn self_alone(product: Product, outcome: &Outcome) -> StepResult {
    let found = format!("lists users, but reads only its own keys: {}", refusal(outcome));
    let advice = match product {
        Product::OpsManager => {
            "use a key of a user with GLOBAL_OWNER, the only role that can read all users' keys; otherwise the audit is incomplete"
        }
        Product::CloudManager | Product::Atlas => {
            "here users can read only their own keys: add credentials of each user with --credentials FILE"
        }
    };
    Step::Reach.warning(found, advice)
}

/// Users of the first organization; or why there are none.
async fn some_users(client: &Client) -> Result<Result<Vec<User>, String>, Error> {
    let id = match client.organizations().await? {
        (organizations, _) if !organizations.is_empty() => organizations[0].id.clone(),
        (_, outcome) if outcome.status.is_complete() => {
            return Ok(
                Err("the credentials can access no organization, so users can't be listed".to_owned()),
            );
        }
        (_, outcome) => {
            return Ok(Err(format!("the credentials can't list organizations: {}", refusal(&outcome))));
        }
    };
    let sample = client.first_users(UsersOf::Organization(&id)).await?;
    Ok(sample.map(|sample| sample.users).map_err(|outcome| {
        format!("the credentials can't list the users of organization {id}: {}", refusal(&outcome))
    }))
}

/// Whether the deployment still has what is to be audited.
pub(super) fn version(client: &Client, removed: bool) -> StepResult {
    let product = client.product();
    let version = client.service_version();
    let found = format!("{} {}", product.title(), version.as_deref().unwrap_or("(unknown version)"));
    if removed || product::has_removed_personal_keys(product, version.as_deref()) {
        let found = format!("{found}, which no longer has personal keys");
        let advice = "nothing to audit: personal keys stopped working with the removal";
        return Step::Version.warning(found, advice);
    }
    match (product, version) {
        (Product::OpsManager, None) => {
            let advice = "check --product, and that no proxy removes headers: Ops Manager sends its version in a header";
            Step::Version.warning(found, advice)
        }
        (Product::OpsManager, Some(_)) => {
            Step::Version.ok(format!("{found}, which has personal keys; 5.0 disables all of them"))
        }
        (Product::CloudManager | Product::Atlas, _) => {
            Step::Version.ok(format!("{found}, which does not report a removal of personal keys"))
        }
    }
}
