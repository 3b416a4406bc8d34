//! The client of the service: one request done right.

mod answer;
mod auth;
mod certificate;
mod challenge;
mod concurrency;
mod failure;
mod http;
mod keyring;
mod list;
mod pages;
mod probe;
pub(crate) mod product;
mod rate_limiter;
mod saved;
mod tls;
mod wire;

pub use auth::Credential;
pub use certificate::Certificate;
pub use failure::{BODY_LIMIT, ClientError};
pub use http::{Client, Connection, is_loopback};
pub use keyring::Credentials;
pub use list::{MOST_KEYS, PAGE};
pub use pages::UserListEvent;
pub use probe::{Account, Asks, Contact, Unreached};
pub use saved::{Extent, KeyList, ListLink, SavedAnswer, SavedKey, Told, read_saved, user_id, version_told};
