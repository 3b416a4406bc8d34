//! Work on many users at a time, of which those that wait for a retry do not delay others.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures::stream::{self, FuturesUnordered, Stream, StreamExt as _};

use super::Client;

/// How many may wait besides those in flight, so that memory does not grow with the number of users.
const MAX_WAITING: usize = 1000;

/// How many requests sleep before a retry, or wait for the verdict on an outage.
#[derive(Default)]
pub(super) struct WaitingRequests(AtomicUsize);

/// One of them, until it is dropped.
pub(super) struct WaitingRequest<'a>(&'a WaitingRequests);

impl WaitingRequests {
    pub(super) fn enter(&self) -> WaitingRequest<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        WaitingRequest(self)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed).min(MAX_WAITING)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    /// Starts `work` for each item, so that `concurrency` are under way besides those whose requests wait for a retry; of
    /// these at most 1,000. The results come in the order in which they are had.
    pub(crate) fn fan_out<'a, T, W: Future + 'a>(
        &'a self,
        items: impl Stream<Item = T> + 'a,
        concurrency: NonZeroUsize,
        work: impl Fn(T) -> W + 'a,
    ) -> impl Stream<Item = W::Output> + 'a {
        fan_out(&self.waiting, items, concurrency, work)
    }
}

fn fan_out<'a, T, W: Future + 'a>(
    waiting: &'a WaitingRequests,
    items: impl Stream<Item = T> + 'a,
    concurrency: NonZeroUsize,
    work: impl Fn(T) -> W + 'a,
) -> impl Stream<Item = W::Output> + 'a {
    let mut items = Box::pin(items.fuse());
    let mut under_way = FuturesUnordered::new();
    stream::poll_fn(move |context| {
        let limit = || concurrency.get() + waiting.count();
        loop {
            let mut has_item = !items.is_done();
            while has_item && under_way.len() < limit() {
                match items.poll_next_unpin(context) {
                    Poll::Ready(Some(item)) => under_way.push(work(item)),
                    Poll::Ready(None) | Poll::Pending => has_item = false,
                }
            }
            match under_way.poll_next_unpin(context) {
                Poll::Ready(Some(result)) => return Poll::Ready(Some(result)),
                Poll::Ready(None) if items.is_done() => return Poll::Ready(None),
                // More began to wait meanwhile, so that there is room for others.
                Poll::Pending if has_item && under_way.len() < limit() => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn waiting_requests_do_not_count_as_concurrent_and_are_bounded() {
        let (waiting, started) = (WaitingRequests::default(), Cell::new(0));
        let work = |is_refused: bool| {
            started.set(started.get() + 1);
            let waiting = &waiting;
            async move {
                let _waiting = is_refused.then(|| waiting.enter());
                futures::future::pending::<()>().await;
            }
        };
        for (is_refused, most) in [(false, 4), (true, 4 + MAX_WAITING)] {
            started.set(0);
            let items = stream::repeat(is_refused);
            let mut results = Box::pin(fan_out(&waiting, items, NonZeroUsize::new(4).unwrap(), work));
            assert!(futures::poll!(results.next()).is_pending());
            assert_eq!(started.get(), most);
        }
    }
}
