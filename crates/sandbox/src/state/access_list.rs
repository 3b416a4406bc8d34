//! IP lists: from which addresses a user or a programmatic key may call.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// One address, or a block of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a CIDR block")]
pub(crate) struct InvalidNetwork(pub(crate) String);

/// One entry of a list, with what is known of its use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessEntry {
    #[serde(rename = "cidrBlock")]
    pub(crate) network: Network,
    pub(crate) created: DateTime<Utc>,
    #[serde(skip)]
    pub(crate) last_used: Option<(DateTime<Utc>, IpAddr)>,
    #[serde(skip)]
    pub(crate) count: u64,
}

/// One entry of the list that all global programmatic keys share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GlobalEntry {
    pub(crate) id: String,
    #[serde(rename = "cidrBlock")]
    pub(crate) network: Network,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) created: DateTime<Utc>,
    /// `None` for an entry that was never changed.
    #[serde(skip)]
    pub(crate) updated: Option<DateTime<Utc>>,
}

/// The owner of a list, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ListOwner {
    User(u64),
    ProgrammaticKey(u64),
    ServiceAccount(u64),
}

impl AccessEntry {
    pub(crate) fn new(network: Network, created: DateTime<Utc>) -> Self {
        Self { network, created, last_used: None, count: 0 }
    }
}

impl Network {
    /// The address, where it is a single one.
    pub(crate) fn single(self) -> Option<IpAddr> {
        (self.prefix == width(self.address)).then_some(self.address)
    }

    pub(crate) fn contains(self, other: IpAddr) -> bool {
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
    type Err = InvalidNetwork;

    /// Takes `203.0.113.7` and `203.0.113.0/24`, and the like of IPv6.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| invalid())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let prefix = prefix.unwrap_or(width(address));
        if prefix > width(address) { Err(invalid()) } else { Ok(Self { address, prefix }) }
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
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
