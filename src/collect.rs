//! The fan-out: users in, readings out, so many at once.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};

use crate::api::{Client, Unusable};
use crate::model::{Reading, User};

/// Reads the keys of every user, `at_once` in flight, in the order in which the answers come.
///
/// `clock` tells when a reading was made. An `Err` is the run's failure; a user's own is in the reading.
pub fn readings<'a, E: From<Unusable> + 'a>(
    client: &'a Client,
    users: impl Stream<Item = Result<User, E>> + 'a,
    at_once: NonZeroUsize,
    clock: impl Fn() -> DateTime<Utc> + Copy + 'a,
) -> impl Stream<Item = Result<Reading, E>> + 'a {
    users
        .map(move |user| async move {
            let user = user?;
            let (keys, outcome, attempts) = client.personal_keys(&user).await?;
            Ok(Reading { user, keys, outcome, attempts, read_at: Some(clock()) })
        })
        .buffer_unordered(at_once.get())
}
