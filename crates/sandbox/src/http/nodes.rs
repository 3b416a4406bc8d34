//! Several servers behind one name: each knows its own nonces alone, and a balancer chooses one for each request.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::header::{COOKIE, HeaderMap, HeaderValue};

use super::nonces::Nonces;

/// The name of the balancer's cookie.
const NODE: &str = "node";

/// How the balancer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Balancer {
    /// Random
    Chance,
    /// Round robin
    Turn,
    /// Per connection
    Connection,
    /// Per cookie, set by the first response
    Cookie,
}

/// The node that answers a request, and what the balancer adds to its answer.
pub(super) struct Choice {
    pub(super) node: usize,
    pub(super) cookie: Option<HeaderValue>,
}

/// All nodes.
pub(super) struct Nodes {
    nonces: Vec<Mutex<Nonces>>,
    balancer: Balancer,
    dealt: Mutex<(fastrand::Rng, usize)>,
}

impl Nodes {
    /// As many as `nonces` gives.
    pub(super) fn new(nonces: impl Iterator<Item = Nonces>, balancer: Balancer, seed: u64) -> Self {
        let nonces = nonces.map(Mutex::new).collect();
        Self { nonces, balancer, dealt: Mutex::new((fastrand::Rng::with_seed(seed), 0)) }
    }

    /// Chooses for a request.
    pub(super) fn choose(&self, headers: &HeaderMap, peer: SocketAddr) -> Choice {
        let count = self.nonces.len();
        let without_cookie = |node| Choice { node, cookie: None };
        if count == 1 {
            return without_cookie(0);
        }
        let mut dealt = self.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        let (rng, turn) = &mut *dealt;
        let mut next = || {
            *turn += 1;
            *turn % count
        };
        match self.balancer {
            Balancer::Chance => without_cookie(rng.usize(..count)),
            Balancer::Turn => without_cookie(next()),
            // Ports of one client are often all even.
            Balancer::Connection => {
                without_cookie(fastrand::Rng::with_seed(peer.port().into()).usize(..count))
            }
            Balancer::Cookie => {
                let known = node_of(headers).filter(|node| *node < count);
                let node = known.unwrap_or_else(next);
                let set = || HeaderValue::try_from(format!("{NODE}={node}; Path=/; HttpOnly")).ok();
                Choice { node, cookie: if known.is_some() { None } else { set() } }
            }
        }
    }

    /// The nonces of a node.
    pub(super) fn nonces(&self, node: usize) -> MutexGuard<'_, Nonces> {
        self.nonces[node].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The node that the balancer's cookie names.
fn node_of(headers: &HeaderMap) -> Option<usize> {
    let headers = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = headers.flat_map(|header| header.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(NODE)?.strip_prefix('=')?.parse().ok())
}
