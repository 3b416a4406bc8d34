//! `…/whitelist` and `…/accessList`: from where a user or a programmatic key may call.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body::{self, Object};
use super::call::{Call, KeyInUse, Method};
use super::keys::time;
use super::refusal::Refusal;

/// One address, or a block of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u8,
}

/// One line of a list, with what is known of its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) network: Network,
    pub(super) created: DateTime<Utc>,
    pub(super) last_used: Option<(DateTime<Utc>, IpAddr)>,
    pub(super) count: u64,
}

/// One line of the list that all global programmatic keys share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GlobalEntry {
    pub(super) id: String,
    pub(super) network: Network,
    pub(super) description: String,
    pub(super) created: DateTime<Utc>,
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    User(u64),
    Key(u64),
}

impl Network {
    fn is_one(self) -> bool {
        self.prefix == width(self.address)
    }

    pub(super) fn contains(self, other: IpAddr) -> bool {
        let unused = u32::from(width(self.address) - self.prefix);
        let block = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()).checked_shr(unused),
            IpAddr::V6(address) => address.to_bits().checked_shr(unused),
        };
        self.address.is_ipv4() == other.is_ipv4() && block(self.address) == block(other)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl FromStr for Network {
    type Err = Refusal;

    /// Takes `203.0.113.7` and `203.0.113.0/24`, and the like of IPv6.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::InvalidAddress(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix = prefix.unwrap_or(width(address));
        if prefix > width(address) {
            return Err(wrong());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

impl Entry {
    pub(super) fn new(network: Network, created: DateTime<Utc>) -> Self {
        Self { network, created, last_used: None, count: 0 }
    }

    fn document(&self, call: &Call, list: &str) -> Value {
        let mut document = Map::new();
        let block = self.network.to_string();
        let mut name = block.replace('/', "%2F");
        if self.network.is_one() {
            name = self.network.address.to_string();
            document.insert("ipAddress".into(), name.as_str().into());
        }
        document.insert("cidrBlock".into(), block.into());
        document.insert("count".into(), self.count.into());
        document.insert("created".into(), time(self.created).into());
        if let Some((at, from)) = self.last_used {
            document.insert("lastUsed".into(), time(at).into());
            document.insert("lastUsedAddress".into(), from.to_string().into());
        }
        document.insert("links".into(), call.self_link(&format!("{list}/{name}")));
        Value::Object(document)
    }
}

/// The address of a body, be it an `ipAddress` or a `cidrBlock`; with both, the block counts.
///
/// # Errors
/// Neither, or what is no address.
pub(super) fn network(object: &Object) -> Result<Network, Refusal> {
    let text = object.text("cidrBlock")?.or(object.text("ipAddress")?);
    text.ok_or_else(|| Refusal::InvalidAttribute("ipAddress".to_owned()))?.parse()
}

/// A user's list, which is that user's alone.
pub(super) fn of_user(call: &Call, id: &str, entry: Option<&str>) -> Result<Answer, Refusal> {
    let user = call.user(id)?;
    if call.caller.user != user {
        return Err(Refusal::AccessListDenied(call.service.served.spelling(), id.to_owned()));
    }
    serve(call, Owner::User(user), &format!("/users/{id}/{}", call.service.served.spelling().path()), entry)
}

/// The list of an organization's key, for that key itself and for the organization's owners.
pub(super) fn of_key(call: &Call, org: &str, key: &str, entry: Option<&str>) -> Result<Answer, Refusal> {
    let (index, _) = super::programmatic::in_org(call, org, key)?;
    if call.caller.key != KeyInUse::Programmatic(index) {
        super::programmatic::may_change(call, org)?;
    }
    let list = format!("/orgs/{org}/apiKeys/{key}/{}", call.service.served.spelling().path());
    serve(call, Owner::Key(index), &list, entry)
}

fn serve(call: &Call, owner: Owner, list: &str, entry: Option<&str>) -> Result<Answer, Refusal> {
    let show = |entries: &[Entry]| {
        call.list(entries.len() as u64, |rows| rows.of(entries).map(|one| one.document(call, list)).collect())
    };
    match (call.method, entry) {
        (Method::Get, None) => Ok(show(&call.service.list(owner))),
        (Method::Get, Some(name)) => {
            let entries = call.service.list(owner);
            Ok(Answer::ok(entries[find(call, &entries, name)?].document(call, list)))
        }
        (Method::Post, None) => {
            let new = body::objects(call.body)?;
            let new: Vec<_> = new.iter().map(network).collect::<Result<_, _>>()?;
            call.service.edit_list(owner, |entries| {
                for network in new {
                    if !entries.iter().any(|entry| entry.network == network) {
                        entries.push(Entry::new(network, call.service.served.now()));
                    }
                }
                Ok(show(entries))
            })
        }
        (Method::Delete, Some(name)) => call.service.edit_list(owner, |entries| {
            let at = find(call, entries, name)?;
            if matches!(owner, Owner::User(_)) && entries[at].network.contains(call.address) {
                return Err(Refusal::CannotRemoveCaller(call.service.served.spelling(), name.to_owned()));
            }
            entries.remove(at);
            Ok(call.deleted())
        }),
        (Method::Post, Some(_)) | (Method::Delete, None) | (Method::Patch | Method::Other, _) => {
            Err(call.wrong_method())
        }
    }
}

fn find(call: &Call, entries: &[Entry], name: &str) -> Result<usize, Refusal> {
    let network: Option<Network> = name.parse().ok();
    let at = entries.iter().position(|entry| Some(entry.network) == network);
    at.ok_or_else(|| Refusal::EntryNotFound(call.service.served.spelling(), name.to_owned()))
}

/// `/admin/whitelist` and `/admin/accessList`.
pub(super) fn global(call: &Call, entry: Option<&str>) -> Result<Answer, Refusal> {
    super::programmatic::may_administer(call)?;
    let spelling = call.service.served.spelling();
    let unknown = |id: &str| Refusal::EntryNotFound(spelling, id.to_owned());
    match (call.method, entry) {
        (Method::Get, None) => {
            let entries = call.service.global_list();
            Ok(call.list(entries.len() as u64, |rows| rows.of(&entries).map(GlobalEntry::document).collect()))
        }
        (Method::Get, Some(id)) => {
            let entries = call.service.global_list();
            let found = entries.iter().find(|entry| entry.id == id).ok_or_else(|| unknown(id))?;
            Ok(Answer::ok(found.document()))
        }
        (Method::Post, None) => {
            let object = body::object(call.body)?;
            let (network, description) = (network(&object)?, object.text("description")?.unwrap_or_default());
            let (id, created) = (call.service.new_id(), call.service.served.now());
            let new = GlobalEntry { id, network, description, created };
            let document = new.document();
            call.service.edit_global_list(|entries| {
                entries.push(new);
                Ok(Answer::ok(document))
            })
        }
        (Method::Delete, Some(id)) => call.service.edit_global_list(|entries| {
            let at = entries.iter().position(|entry| entry.id == id).ok_or_else(|| unknown(id))?;
            entries.remove(at);
            Ok(call.deleted())
        }),
        (Method::Post, Some(_)) | (Method::Delete, None) | (Method::Patch | Method::Other, _) => {
            Err(call.wrong_method())
        }
    }
}

impl GlobalEntry {
    fn document(&self) -> Value {
        json!({
            "cidrBlock": self.network.to_string(),
            "created": time(self.created),
            "description": self.description,
            "id": self.id,
            "type": "GLOBAL_ROLE",
            "updated": time(self.created),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_contains_its_addresses_and_no_others() {
        let contains =
            |block: &str, address: &str| block.parse::<Network>().unwrap().contains(address.parse().unwrap());
        assert!(contains("203.0.113.7", "203.0.113.7"));
        assert!(!contains("203.0.113.7", "203.0.113.6"));
        assert!(contains("203.0.113.0/24", "203.0.113.255"));
        assert!(!contains("203.0.113.0/24", "203.0.114.0"));
        assert!(contains("0.0.0.0/0", "255.0.0.1"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        for bad in ["", "203.0.113", "203.0.113.7/33", "203.0.113.7/-1", "203.0.113.7/", "::1/129", "x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
