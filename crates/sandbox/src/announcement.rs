//! What a sandbox announces when it starts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use crate::Error;
use crate::state::{Deployment, Scope};

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
    /// The first organization, in which all users of a random world are.
    pub org_id: String,
    /// How many users there are.
    pub users: u64,
}

impl Announcement {
    /// # Errors
    /// The deployment has no credential.
    pub(crate) fn new(deployment: &Deployment, address: SocketAddr) -> Result<Self, Error> {
        let reachable = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let address = SocketAddr::new(reachable, address.port());
        let product = deployment.rules.product;
        let (public_key, private_key) = best_credential(deployment).ok_or(Error::NoCredential)?;
        Ok(Self {
            url: format!("http://{address}{}", product.base_path()),
            product: product.name(),
            public_key,
            private_key,
            org_id: deployment.world.organizations().first().map(|org| org.id.clone()).unwrap_or_default(),
            users: deployment.world.user_count(),
        })
    }
}

/// The credential that may see the most: of the programmatic keys a global owner's or else the first organization's
/// owner's, or the first user's personal key on a deployment that has no others.
fn best_credential(deployment: &Deployment) -> Option<(String, String)> {
    let (world, rules) = (&deployment.world, &deployment.rules);
    if !rules.has_programmatic_keys() || world.programmatic_key_count() == 0 {
        return if rules.accepts_personal_keys() { deployment.personal_credential(0) } else { None };
    }
    let owner = |scope: Scope, role: &str| {
        let keys = world.programmatic_keys_in(scope);
        let mut keys = keys.skip(0).map(|index| world.programmatic_key(index));
        keys.find(|key| key.roles.iter().any(|one| one.name == role))
    };
    let global = if rules.has_global_keys() { owner(Scope::Global, "GLOBAL_OWNER") } else { None };
    let org = || owner(Scope::Org(&world.organizations().first()?.id), "ORG_OWNER");
    let key = global.or_else(org).unwrap_or_else(|| world.programmatic_key(0));
    Some((key.public_key, key.private_key))
}
