//! The fan-out: users in, readings out, so many at once.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};

use crate::client::{Client, ClientError};
use crate::model::{User, UserResult};

/// Reads the keys of every user, `concurrency` in flight, in the order in which the answers come.
///
/// `clock` tells when a reading was made. An `Err` is the run's failure; a user's own is in the reading.
pub fn readings<'a, E: From<ClientError> + 'a>(
    client: &'a Client,
    users: impl Stream<Item = Result<User, E>> + 'a,
    concurrency: NonZeroUsize,
    clock: impl Fn() -> DateTime<Utc> + Copy + 'a,
) -> impl Stream<Item = Result<UserResult, E>> + 'a {
    users
        .map(move |user| async move {
            let user = user?;
            let (keys, outcome, attempts) = client.personal_keys(&user).await?;
            Ok(UserResult { user, keys, outcome, attempts, read_at: Some(clock()) })
        })
        .buffer_unordered(concurrency.get())
}
