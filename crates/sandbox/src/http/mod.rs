//! The handlers: a request comes in, an answer goes out. They read and change the [`Deployment`](crate::state::Deployment).
//!
//! ```text
//! server: connection ── nodes ── digest + nonces ── route ── users, organizations, teams,
//!                                                          personal_keys, programmatic_keys, access_lists, events,
//!                                                          service_accounts (with tokens of oauth)
//!         call, input: one authenticated request      answer, error: what comes back
//! ```

mod access_lists;
mod answer;
mod call;
mod digest;
mod error;
mod events;
mod input;
mod nodes;
mod nonces;
mod oauth;
mod organizations;
mod personal_keys;
mod programmatic_keys;
mod route;
mod server;
mod service_accounts;
mod teams;
mod unauthenticated;
mod users;

pub use self::digest::Challenge;
pub use self::nodes::Balancer;
pub use self::nonces::NonceRule;
pub use self::server::Counts;

pub(crate) use self::server::{Server, router};
