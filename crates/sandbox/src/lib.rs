//! The service itself, in process: for the demo, for the tests, and for anyone who wants to see a client at work.
//!
//! It speaks what the reference pages of Ops Manager and Atlas say, and depends on nothing of the product, so that client
//! and server can't share one wrong field name. `docs/sandbox.md` tells what is documented and what is inferred.
//!
//! ```text
//! connection ── server ── digest + nonces ── route ── users, keys, orgs, groups, programmatic, access_list
//!                                                          │
//!                                          service: the world, and the changes over it
//!                                                          │
//!                                               generated, or listed in a file
//! ```

mod access_list;
mod announcement;
mod answer;
mod body;
mod call;
mod counts;
mod digest;
mod faults;
mod file;
mod generated;
mod generated_key;
mod groups;
mod keys;
mod listed;
mod members;
mod nonces;
mod orgs;
mod product;
mod programmatic;
mod query;
mod refusal;
mod roles;
mod route;
mod scramble;
mod server;
mod service;
mod truth;
mod users;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::HeaderValue;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

pub use self::announcement::Announcement;
pub use self::counts::Counts;
pub use self::digest::Challenge;
pub use self::faults::{
    AuthFault, Fault, FaultError, FaultKind, Replacement, Resource, StatusDetail, Transport, WrongData,
    WrongTotal,
};
pub use self::nonces::NonceRule;
pub use self::product::Product;
pub use self::truth::{ExpectedKey, ExpectedUser};

use self::announcement::announce;
use self::counts::Counters;
use self::faults::{Asked, Faults, Lines, Peer};
use self::generated::Generated;
use self::nonces::Nonces;
use self::product::Served;
use self::server::{GIT_HASH, Server, router};
use self::service::Service;
use self::world::World;

/// What [`Fault`] reads, for those who type it.
pub const FAULT_HELP: &str = faults::HELP;

/// The most users that a computed world may have: beyond, public keys of 8 letters would run out of room.
const MOST_USERS: u64 = 1_000_000_000;

/// What to serve, and how strictly.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whose API to speak.
    pub product: Product,
    /// The version in the header, by which Ops Manager decides what it has.
    pub service_version: String,
    /// How many users the computed world has, at least 1.
    pub users: u64,
    /// What the world is computed from.
    pub seed: u64,
    /// A world to read in place of the computed one.
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
    #[error("a computed world has 1 to {MOST_USERS} users, not {0}")]
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
    /// The world has nobody whom the sandbox could announce.
    #[error("the world has no key that this product and version accepts as a credential")]
    NoCredential,
}

/// A running service on a thread of its own; dropping it stops it.
pub struct Sandbox {
    server: Arc<Server>,
    announcement: Announcement,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.debug_struct("Sandbox").field("url", &self.announcement.url).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts to serve, and returns once connections are accepted. Blocks for a moment, also inside async code.
    ///
    /// # Errors
    /// The world or the version is wrong, or the address is taken.
    pub fn start(options: Options) -> Result<Self, Error> {
        let cannot = |error| Error::Listen(options.listen, error);
        let listener = std::net::TcpListener::bind(options.listen).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;

        let rules = Served::new(options.product, &options.service_version, options.clock)?;
        let version = format!("gitHash={GIT_HASH}; versionString={}", options.service_version);
        let version =
            HeaderValue::try_from(version).map_err(|_| Error::Version(options.service_version.clone()))?;
        let world: Box<dyn World> = match options.world {
            Some(path) => Box::new(file::read(&path)?),
            None if (1..=MOST_USERS).contains(&options.users) => {
                Box::new(Generated::new(options.seed, options.users, options.product, rules.now()))
            }
            None => return Err(Error::Users(options.users)),
        };
        let server = Arc::new(Server {
            service: Service::new(rules, world, options.seed),
            challenge: options.challenge,
            nonces: Mutex::new(Nonces::new(options.nonce_life, options.nonce_uses, options.nonce)),
            counters: Counters::default(),
            faults: Faults::new(options.seed, options.faults),
            address,
            version,
        });
        let announcement = announce(&server.service, address)?;
        let (stop, stopped) = oneshot::channel();
        let thread = spawn(Arc::clone(&server), listener, stopped).map_err(Error::Run)?;
        Ok(Self { server, announcement, stop: Some(stop), thread: Some(thread) })
    }

    /// What a client needs to begin.
    #[must_use]
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// What came in and went out so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.server.counters.read()
    }

    /// The faults that lie in wait for a `GET`, in the order in which they strike: the first of them that is permanent is
    /// what remains. Below the base path or with it, and with or without a query, of which only the page matters; a fault
    /// in the answers themselves needs an answer that it can bend.
    #[must_use]
    pub fn faults_for(&self, path_and_query: &str) -> Vec<&Fault> {
        let base = self.server.service.served.product.base_path();
        let asked = Asked::new("GET", path_and_query, base, true);
        asked.map(|asked| self.server.faults.of(&asked)).unwrap_or_default()
    }

    /// Stops to listen, closes all connections and waits for the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs the server on a thread until it is told to stop; dropping the runtime closes what is still open.
fn spawn(
    server: Arc<Server>,
    listener: std::net::TcpListener,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(guard);
    let counting = Arc::clone(&server);
    let listener = Lines::new(listener, move || {
        counting.counters.connections.fetch_add(1, Ordering::Relaxed);
    });
    std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        let service = router(server).into_make_service_with_connect_info::<Peer>();
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                _ = async { axum::serve(listener, service).await } => {}
            }
        });
    })
}
