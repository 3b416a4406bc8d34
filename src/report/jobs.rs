//! Jobs that do not depend on each other, on all cores.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A job.
pub(super) type Job<'a, E> = Box<dyn FnOnce() -> Result<(), E> + Send + 'a>;

/// Runs all jobs; each core takes the next one when it has ended one.
///
/// # Errors
/// That of the first of the jobs that failed, in their order.
pub(super) fn run_all<E: Send>(jobs: Vec<Job<E>>) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(jobs.len());
    let (jobs, failed) = (Mutex::new(jobs.into_iter().enumerate()), Mutex::new(None::<(usize, E)>));
    let work = || {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, job)) = job else { return };
            if let Err(why) = job() {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                    *failed = Some((number, why));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..cores {
            scope.spawn(work);
        }
        work();
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), |(_, why)| Err(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_jobs_run_and_the_first_that_failed_is_reported() {
        let done = Mutex::new(Vec::new());
        let job = |number: u32| {
            let done = &done;
            Box::new(move || {
                done.lock().unwrap().push(number);
                if number == 3 || number == 5 { Err(number) } else { Ok(()) }
            }) as Job<u32>
        };
        assert_eq!(run_all((0..20).map(job).collect()), Err(3));
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
        assert_eq!(run_all::<u32>(Vec::new()), Ok(()));
    }
}
