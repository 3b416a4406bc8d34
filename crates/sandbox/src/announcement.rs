//! What a sandbox tells about itself when it starts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use super::service::Service;
use super::{Error, truth};

/// What a sandbox prints when it listens: all that a client needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// The whole base path, without a slash at its end.
    pub url: String,
    /// The product's name.
    pub product: &'static str,
    /// The digest user: of a programmatic key that may see the most; a username where there are only personal keys.
    pub public_key: String,
    /// The digest password.
    pub private_key: String,
    /// The first organization, in which all users of a computed world are.
    pub org_id: String,
    /// How many users there are.
    pub users: u64,
}

/// Tells the first credential that may see the most, or that there is none.
pub(super) fn announce(service: &Service, address: SocketAddr) -> Result<Announcement, Error> {
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(reachable, address.port());
    let product = service.served.product;
    let (public_key, private_key) = truth::best_credential(service).ok_or(Error::NoCredential)?;
    Ok(Announcement {
        url: format!("http://{address}{}", product.base_path()),
        product: product.name(),
        public_key,
        private_key,
        org_id: service.world.organizations().first().map(|org| org.id.clone()).unwrap_or_default(),
        users: service.world.users(),
    })
}
