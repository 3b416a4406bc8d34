//! A simulated deployment, in process: for the demo, for the tests, and to see a client at work.
//!
//! It implements what the reference pages of Ops Manager and Atlas document, and depends on nothing of the product, so that
//! client and server can't share one wrong field name. `docs/sandbox.md` says what is documented and what is inferred.
//!
//! ```text
//! lib, options, announcement: start and stop             ground_truth: what a test may ask
//! http: requests and answers ── faults: wrong answers    product: what each product serves
//!   └─ state: the data, and its changes                  rng: numbers that follow from the seed
//! ```
//!
//! `http` uses `state` and `faults`, and neither of them uses it or the other: a test below holds that.
//!
//! # Where to add a resource
//! An arm in `http/route.rs`, and a function beside those of its subject (`http/users.rs` and so on) that takes a `Call` and
//! returns an `Answer` or an `ApiError` (`http/error.rs`: a function an `errorCode`). Data that it needs goes into
//! `state/model.rs` and the trait in `state/world.rs`; the compiler then asks both worlds for it. Data that requests change
//! is also a field of `Changes` in `state/mod.rs`. If `--fault …:WHERE` shall find the path: `classify` in
//! `faults/selection.rs`. Last, the table in `docs/sandbox.md` and a test in `tests/it/sandbox/`.
//!
//! # Where to add a kind of fault
//! A variant, its name in `parse` and its effect, all three in the file of its group: `faults/replacement.rs` (another
//! answer), `wrong_data.rs` (the answer, altered), `transport.rs` (the answer, lost or damaged), or `AuthFault` in `spec.rs`
//! with its effect in `http/server.rs`. Then its line in `HELP` in `faults/spec.rs` and in `docs/sandbox.md`; a test holds
//! that these agree. The compiler asks `tests/it/soak.rs` what an audit makes of it. What decides which requests meet it is
//! in `faults/selection.rs`, and is the same for all kinds.
//!
//! # Where to add behaviour of the whole service
//! What every answer has (a header, a cookie, a limit of requests) is in `http/server.rs`, and its setting in `options.rs`;
//! the compiler then asks the product for its flag. What differs by product or version is a question to `ProductRules` in
//! `product.rs`.

mod announcement;
mod faults;
mod ground_truth;
mod http;
mod options;
mod product;
mod rng;
mod state;

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use self::announcement::Announcement;
pub use self::faults::{
    AuthFault, Fault, FaultError, FaultKind, Replacement, Resource, StatusDetail, Transport, WrongData,
    WrongTotal,
};
pub use self::ground_truth::{ExpectedKey, ExpectedUser};
pub use self::http::{Balancer, Challenge, Counts, NonceRule};
pub use self::options::{Error, Options};
pub use self::product::Product;

use self::faults::{FaultListener, FaultTarget, Peer};
use self::http::{Server, router};
use self::options::MAX_USERS;
use self::product::ProductRules;
use self::state::{Deployment, FileWorld, RandomWorld, World};

/// The grammar and all kinds of [`Fault`], for `--help`.
pub const FAULT_HELP: &str = faults::HELP;

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

        let rules = ProductRules::new(options.product, &options.service_version, options.clock)?;
        let world: Box<dyn World> = match &options.world {
            Some(path) => Box::new(FileWorld::read(path)?),
            None if (1..=MAX_USERS).contains(&options.users) => {
                Box::new(RandomWorld::new(options.seed, options.users, &rules))
            }
            None => return Err(Error::Users(options.users)),
        };
        let deployment = Deployment::new(rules, world, options.seed);
        let announcement = Announcement::new(&deployment, address)?;
        let server = Arc::new(Server::new(options, deployment, address)?);
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
        self.server.counts()
    }

    /// The faults of a `GET`, in the order in which they come: the first of them that is permanent is what remains. Below
    /// the base path or with it, and with or without a query, of which only the page matters; wrong data needs an answer
    /// that can hold it.
    #[must_use]
    pub fn faults_for(&self, path_and_query: &str) -> Vec<&Fault> {
        let target = FaultTarget::new("GET", path_and_query, self.server.base_path(), true);
        target.map(|target| self.server.faults.matching(&target)).unwrap_or_default()
    }

    /// Stops to listen, closes all connections and waits for the thread.
    pub fn stop(self) {
        drop(self);
    }

    fn deployment(&self) -> &Deployment {
        &self.server.deployment
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

/// Runs the server on a thread until `stopped` resolves; dropping the runtime closes what is still open.
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
    let listener = FaultListener::new(listener, move || counting.count(|counts| counts.connections += 1));
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn state_and_faults_use_neither_handlers_nor_each_other() {
        for (folder, allowed) in [("state", &["Error", "product", "rng"][..]), ("faults", &["rng"])] {
            let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder));
            for file in files.unwrap().map(|file| file.unwrap().path()) {
                let source = std::fs::read_to_string(&file).unwrap();
                assert!(!source.contains("super::super"), "{}", file.display());
                for path in source.split("crate::").skip(1) {
                    let name = path.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                    assert!(allowed.contains(&name), "{} uses {name}", file.display());
                }
            }
        }
    }
}
