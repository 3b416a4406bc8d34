//! What all threads find. A thread keeps a few places, so that the others seldom wait for it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::place::Unsearched;
use crate::store::{Error, FoundPlaces, Located};

/// So many a thread keeps.
const KEPT: usize = 256;

/// Places of all threads, and the first error.
pub(super) struct Collected {
    found: Mutex<(FoundPlaces, Result<(), Error>)>,
    has_failed: AtomicBool,
}

impl Collected {
    pub(super) fn new() -> Result<Self, Error> {
        let found = Mutex::new((FoundPlaces::new()?, Ok(())));
        Ok(Self { found, has_failed: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, (FoundPlaces, Result<(), Error>)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, add: impl FnOnce(&FoundPlaces) -> Result<(), Error>) {
        let mut locked = self.lock();
        let (found, result) = &mut *locked;
        if result.is_ok() {
            *result = add(found);
            self.has_failed.store(result.is_err(), Ordering::Relaxed);
        }
    }

    /// Whether nothing that is found can be kept any more, so that a search has no use.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// `contents` are those of Git LFS that were searched.
    pub(super) fn add_history(
        &self,
        located: &[Located],
        unsearched: &[Unsearched],
        contents: &BTreeSet<String>,
    ) {
        self.add(|found| {
            found.add_history(located)?;
            found.add_contents(contents)?;
            found.add_unsearched(unsearched)
        });
    }

    /// All of them, sorted.
    pub(super) fn finish(self) -> Result<FoundPlaces, Error> {
        let (found, result) = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        result?;
        found.sort()?;
        Ok(found)
    }
}

/// What one thread found and has yet to hand over.
pub(super) struct ThreadFindings<'a> {
    collected: &'a Collected,
    located: Vec<Located>,
    unsearched: Vec<Unsearched>,
    /// With the names of their contents.
    pointers: Vec<(Unsearched, String)>,
    contents: Vec<String>,
}

impl<'a> ThreadFindings<'a> {
    pub(super) fn new(collected: &'a Collected) -> Self {
        let (located, unsearched) = (Vec::new(), Vec::new());
        Self { collected, located, unsearched, pointers: Vec::new(), contents: Vec::new() }
    }

    pub(super) fn push(&mut self, located: Located) {
        self.located.push(located);
        self.hand_over_if_many();
    }

    pub(super) fn push_unsearched(&mut self, unsearched: Unsearched) {
        self.unsearched.push(unsearched);
        self.hand_over_if_many();
    }

    /// A pointer of Git LFS, which is searched if its content is.
    pub(super) fn push_pointer(&mut self, pointer: Unsearched, content: &str) {
        self.pointers.push((pointer, content.to_owned()));
        self.hand_over_if_many();
    }

    /// A content of Git LFS that was searched.
    pub(super) fn push_content(&mut self, content: &str) {
        self.contents.push(content.to_owned());
        self.hand_over_if_many();
    }

    fn hand_over_if_many(&mut self) {
        let kept = [self.located.len(), self.unsearched.len(), self.pointers.len(), self.contents.len()];
        if kept.iter().sum::<usize>() >= KEPT {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        self.collected.add(|found| {
            found.add(&self.located)?;
            found.add_pointers(&self.pointers)?;
            found.add_contents(&self.contents)?;
            found.add_unsearched(&self.unsearched)
        });
        self.pointers.clear();
        self.contents.clear();
        self.located.clear();
        self.unsearched.clear();
    }
}

impl Drop for ThreadFindings<'_> {
    fn drop(&mut self) {
        self.hand_over();
    }
}
