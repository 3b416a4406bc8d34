//! The client of the service: one request done right.

mod answer;
mod auth;
mod challenge;
mod client;
mod keyring;
mod pace;
mod pages;
pub(crate) mod product;
mod wire;

pub use auth::Credential;
pub use client::{Client, Connection, Unusable};
pub use keyring::Credentials;
pub use pages::Listed;
