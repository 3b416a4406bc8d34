//! What to serve, and why a sandbox does not start.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::{Balancer, Challenge, Fault, NonceRule, Product};

/// The most users that a random world may have: beyond, there would not be enough public keys of 8 letters.
pub(crate) const MAX_USERS: u64 = 1_000_000_000;

/// What to serve, and how strictly. A command line makes its flags of these.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address to listen on
    ///
    /// Port 0 selects a free port.
    #[arg(long, value_name = "ADDRESS", default_value_t = Self::default().listen)]
    pub listen: SocketAddr,
    /// Product to simulate
    #[arg(long, value_enum, default_value_t = Self::default().product)]
    pub product: Product,
    /// Version to simulate
    // It is in a header, by which Ops Manager decides what it has.
    #[arg(long, value_name = "VERSION", default_value_t = Self::default().service_version)]
    pub service_version: String,
    /// Number of users
    // At least 1, in a random world.
    #[arg(long, value_name = "N", conflicts_with = "world", default_value_t = Self::default().users)]
    pub users: u64,
    /// Seed of the random data
    // It also decides which requests meet a fault.
    #[arg(long, value_name = "S", conflicts_with = "world", default_value_t = Self::default().seed)]
    pub seed: u64,
    /// JSON file with your own test data
    ///
    /// Replaces the random data. See docs/sandbox.md.
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// Digest challenge to send
    #[arg(long, value_enum, default_value_t = Self::default().challenge)]
    pub challenge: Challenge,
    /// Reuse of nonces
    #[arg(long, value_enum, default_value_t = Self::default().nonce)]
    pub nonce: NonceRule,
    /// Lifetime of a nonce in seconds
    // By a clock that only goes forward.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub nonce_life: Duration,
    /// Maximum uses of a nonce
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value_t = Self::default().nonce_uses)]
    pub nonce_uses: u32,
    /// Servers behind one address
    ///
    /// Each server has its own nonces.
    #[arg(long, value_name = "N", default_value_t = Self::default().nodes)]
    pub nodes: NonZeroUsize,
    /// Load balancing method
    #[arg(long, value_enum, default_value_t = Self::default().balancer)]
    pub balancer: Balancer,
    /// Fixed time of the service (RFC 3339)
    ///
    /// Such as 2021-02-28T12:00:00Z. The default is the system time, or that of the variable
    /// `SOURCE_DATE_EPOCH`.
    // It does not move where it is given.
    #[arg(long, value_name = "TIME")]
    pub clock: Option<DateTime<Utc>>,
    /// Simulated fault, such as 503x2@5%:keys
    ///
    /// Repeat the flag for several faults; the first fault that matches a request applies.
    #[arg(long = "fault", value_name = "SPEC")]
    pub faults: Vec<Fault>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "a number of seconds from 1 to 86400".to_owned())
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
            nodes: NonZeroUsize::MIN,
            balancer: Balancer::Chance,
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
