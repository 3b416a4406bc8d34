//! What to serve, and why a sandbox does not start.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Challenge, Fault, NonceRule, Product};

/// The most users that a random world may have: beyond, there would not be enough public keys of 8 letters.
pub(crate) const MAX_USERS: u64 = 1_000_000_000;

/// What to serve, and how strictly.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whose API to speak.
    pub product: Product,
    /// The version in the header, by which Ops Manager decides what it has.
    pub service_version: String,
    /// How many users the random world has, at least 1.
    pub users: u64,
    /// What the random world is computed from, and which requests meet a fault.
    pub seed: u64,
    /// A world to read in place of the random one.
    pub world: Option<PathBuf>,
    /// The challenge of the digest layer.
    pub challenge: Challenge,
    /// How often one nonce may be answered.
    pub nonce: NonceRule,
    /// How long a nonce lives, by a clock that only goes forward.
    pub nonce_life: Duration,
    /// The highest nonce count.
    pub nonce_uses: u32,
    /// The service's now, standing still; the system's where there is none.
    pub clock: Option<DateTime<Utc>>,
    /// What goes wrong, the first of them first.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    /// A strict Ops Manager 4.4.12 of 100 users, on a free port of the loopback.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            product: Product::OpsManager,
            service_version: "4.4.12".to_owned(),
            users: 100,
            seed: 1,
            world: None,
            challenge: Challenge::Jetty,
            nonce: NonceRule::Shared,
            nonce_life: Duration::from_secs(60),
            nonce_uses: 1024,
            clock: None,
            faults: Vec::new(),
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not this machine's.
    #[error("the sandbox can't listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// No thread or no runtime.
    #[error("the sandbox can't run: {0}")]
    Run(std::io::Error),
    /// An Ops Manager version without major and minor, or one that no header may hold.
    #[error("`{0}` is no service version: give one like 4.4.12")]
    Version(String),
    /// None at all, or too many.
    #[error("a computed world has 1 to {MAX_USERS} users, not {0}")]
    Users(u64),
    /// The file can't be read.
    #[error("the world {} can't be read: {source}", path.display())]
    ReadWorld {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a world.
    #[error("the world {} is wrong: {what}", path.display())]
    World {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where: a line and column, or a field.
        what: String,
    },
    /// The world has no credential that could be announced.
    #[error("the world has no key that this product and version accepts as a credential")]
    NoCredential,
}
