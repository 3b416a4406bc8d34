//! The addresses of an access list, in one form: CIDR blocks of IPv4 or IPv6.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Shorter prefixes than these admit more than any network of one owner.
const SHORTEST_PREFIX: (u8, u8) = (8, 16);
/// The prefix of IPv6 below which the addresses of IPv4 are.
const MAPPED: u8 = 96;

/// A CIDR block; a single address is the block of that address alone. No bit is set behind the prefix, and an address of
/// IPv4 that is written as one of IPv6 is one of IPv4. Sorted by number, those of IPv4 first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// From a text of the service, which may have bits behind the prefix.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_service(text: &str) -> Result<Self, String> {
        let block = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| {
                format!("{text:?} is not an address or a CIDR block, such as 203.0.113.7 or 203.0.113.0/24")
            })?,
        };
        Ok(Self(without_mapping(block.trunc())))
    }

    /// Whether it admits so many addresses that a person should look at it.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        let (v4, v6) = SHORTEST_PREFIX;
        self.0.prefix_len() < if self.0.addr().is_ipv4() { v4 } else { v6 }
    }
}

fn without_mapping(block: IpNet) -> IpNet {
    let mapped = match block.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let prefix = block.prefix_len().checked_sub(MAPPED);
    let v4 = mapped.zip(prefix).and_then(|(address, prefix)| IpNet::new(address.into(), prefix).ok());
    v4.unwrap_or(block)
}

impl FromStr for Network {
    type Err = String;

    /// From a text of a person, of whom bits behind the prefix are a mistake.
    fn from_str(text: &str) -> Result<Self, String> {
        let network = Self::from_service(text)?;
        let exact = text.parse::<IpNet>().is_ok_and(|block| block.trunc() != block);
        if exact {
            let address = text.split('/').next().unwrap_or_default();
            return Err(format!(
                "{text:?} has bits behind the prefix: use {network}, or the address {address}"
            ));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_one_form() {
        for (text, form) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), form, "{text}");
        }
        assert_eq!(Network::from_service("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "203.0.113",
            "203.0.113.256",
            "203.0.113.07",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::1/129",
            "fe80::1%eth0",
            "example.com",
            "10.0.0.0-10.0.0.9",
            "*",
            "10.0.0.0/255.0.0.0",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let why = "10.1.2.3/8".parse::<Network>().unwrap_err();
        assert!(why.contains("use 10.0.0.0/8, or the address 10.1.2.3"), "{why}");
    }

    #[test]
    fn networks_of_the_whole_world_are_wide() {
        for (text, is_wide) in
            [("0.0.0.0/0", true), ("128.0.0.0/1", true), ("10.0.0.0/8", false), ("::/0", true)]
        {
            assert_eq!(text.parse::<Network>().unwrap().is_wide(), is_wide, "{text}");
        }
    }
}
