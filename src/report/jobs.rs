//! Jobs that do not depend on each other, on all cores.

use std::cmp::Reverse;
use std::num::NonZero;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A job.
pub(super) type Job<'a, E> = Box<dyn FnOnce() -> Result<(), E> + Send + 'a>;

/// Runs all jobs; each core takes the next one when it has ended one.
///
/// # Errors
/// That of the first of the jobs that failed, in their order.
pub(super) fn run_all<E: Send>(jobs: Vec<Job<E>>) -> Result<(), E> {
    run(|| Ok(()), jobs.into_iter().enumerate().collect())
}

/// Jobs of the same kinds again and again. What took the longest so far begins first, so that at the end no core waits long
/// for the last one.
#[derive(Default)]
pub(super) struct RepeatedJobs {
    /// By the position of the job.
    took: Vec<Duration>,
}

impl RepeatedJobs {
    /// As [`run_all`], and `first` on this thread meanwhile; what that returns.
    ///
    /// # Errors
    /// That of `first`, or as [`run_all`].
    pub(super) fn run<T, E: Send>(
        &mut self,
        first: impl FnOnce() -> Result<T, E>,
        jobs: Vec<Job<E>>,
    ) -> Result<T, E> {
        self.took.resize(jobs.len(), Duration::ZERO);
        let mut timed = Vec::with_capacity(jobs.len());
        for (number, (job, took)) in jobs.into_iter().zip(&mut self.took).enumerate() {
            let so_far = *took;
            let job: Job<E> = Box::new(move || {
                let begun = Instant::now();
                let result = job();
                *took += begun.elapsed();
                result
            });
            timed.push((so_far, (number, job)));
        }
        timed.sort_by_key(|(so_far, _)| Reverse(*so_far));
        run(first, timed.into_iter().map(|(_, job)| job).collect())
    }
}

/// Asked for once, since on Linux it takes several reads of files.
static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// Runs `first` on this thread and meanwhile the jobs in this order; the error is that of `first`, or of the job with the
/// smallest number.
fn run<T, E: Send>(first: impl FnOnce() -> Result<T, E>, jobs: Vec<(usize, Job<E>)>) -> Result<T, E> {
    let cores = jobs.len().min(*CORES);
    let (jobs, failed) = (Mutex::new(jobs.into_iter()), Mutex::new(None::<(usize, E)>));
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
    let result = thread::scope(|scope| {
        for _ in 1..cores {
            scope.spawn(work);
        }
        let result = first();
        work();
        result
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.and_then(|value| failed.map_or(Ok(value), |(_, why)| Err(why)))
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

    #[test]
    fn the_error_of_repeated_jobs_is_of_the_first_by_position_whatever_took_longest() {
        let mut repeated = RepeatedJobs { took: [1, 3, 2].map(Duration::from_secs).to_vec() };
        let job = |number: u32| Box::new(move || Err(number)) as Job<u32>;
        let first = || Ok(());
        assert_eq!(repeated.run(first, (0..3).map(job).collect()), Err(0));
        assert_eq!(repeated.run(|| Err::<(), _>(8), (0..3).map(job).collect()), Err(8));
        assert!(repeated.took.iter().all(|took| *took > Duration::from_secs(1)));
    }
}
