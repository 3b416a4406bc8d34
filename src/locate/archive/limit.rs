//! Limits of what archives may decompress to and of the memory of decoders, and the reason of an error among decoders.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::place::NotSearched;

/// What archives may decompress to whatever their size, and for each of their bytes.
const FLOOR: u64 = 32 << 20;
const RATIO: u64 = 200;
/// And in total.
const TOTAL: u64 = 64 << 30;
/// What the decoders of one input may keep of their output: the largest usual window of xz, and a usual one in it.
const MEMORY: usize = 72 << 20;
/// Of that, what each thread may have at any time; one alone may have more.
const SHARE: usize = 8 << 20;
static LARGE: Mutex<()> = Mutex::new(());

/// What was read of one input and decompressed from it, by all decoders together.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    read: Cell<u64>,
    decompressed: Cell<u64>,
    /// Why the last error was one, if not for wrong bytes.
    failure: Cell<Option<NotSearched>>,
    reserved: Cell<usize>,
    /// Held while more than the share is reserved.
    large: RefCell<Option<MutexGuard<'static, ()>>>,
}

/// Memory of a decoder, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    bytes: usize,
    budget: Rc<Budget>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let reserved = self.budget.reserved.get() - self.bytes;
        self.budget.reserved.set(reserved);
        if reserved <= SHARE {
            self.budget.large.take();
        }
    }
}

impl Budget {
    /// For an input of which so many bytes are there.
    pub(crate) fn new(read: u64) -> Rc<Self> {
        Rc::new(Self { read: Cell::new(read), ..Self::default() })
    }

    /// Why reading ended with an error.
    pub(crate) fn failure(&self) -> NotSearched {
        self.failure.take().unwrap_or(NotSearched::Damaged)
    }

    /// Memory of a decoder; waits for other threads if it is much.
    ///
    /// # Errors
    /// All decoders of the input need more than they may.
    pub(crate) fn reserve(self: &Rc<Self>, bytes: u64) -> io::Result<Reserved> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let reserved = self.reserved.get().saturating_add(bytes);
        if reserved > MEMORY {
            return Err(self.fail(NotSearched::TooLarge));
        }
        if reserved > SHARE {
            let mut large = self.large.borrow_mut();
            large.get_or_insert_with(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.reserved.set(reserved);
        Ok(Reserved { bytes, budget: Rc::clone(self) })
    }

    /// The error of a decoder for a reason other than wrong bytes.
    pub(crate) fn fail(&self, why: NotSearched) -> io::Error {
        self.failure.set(Some(why));
        io::Error::other(why.as_str())
    }

    fn decompressed(&self, bytes: usize) -> io::Result<()> {
        let decompressed = self.decompressed.get() + bytes as u64;
        self.decompressed.set(decompressed);
        if decompressed > TOTAL || decompressed > RATIO.saturating_mul(self.read.get()).saturating_add(FLOOR)
        {
            return Err(self.fail(NotSearched::TooLarge));
        }
        Ok(())
    }
}

/// The input itself: counts what is read, and knows that an error is not one of a format.
#[derive(Debug)]
pub(crate) struct Input<R> {
    pub(crate) reader: R,
    pub(crate) budget: Rc<Budget>,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.budget.read.set(self.budget.read.get() + read as u64);
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(self.budget.fail(NotSearched::Unreadable)),
            }
        }
    }
}

/// What a decoder yields, until the limits are reached.
#[derive(Debug)]
pub(crate) struct Decompressed<R> {
    pub(crate) reader: R,
    pub(crate) budget: Rc<Budget>,
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.budget.decompressed(read)?;
        Ok(read)
    }
}

/// A file or member, until the largest size.
pub(crate) struct Sized<'r> {
    reader: &'r mut dyn Read,
    left: u64,
    is_over: bool,
    budget: Rc<Budget>,
}

impl<'r> Sized<'r> {
    pub(crate) fn new(reader: &'r mut dyn Read, largest: u64, budget: &Rc<Budget>) -> Self {
        Self { reader, left: largest, is_over: false, budget: Rc::clone(budget) }
    }
}

impl Read for Sized<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if self.is_over { 1 } else { self.reader.read(buffer)? };
        // What is still allowed is searched before the error.
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(read);
        self.is_over |= allowed < read;
        self.left -= allowed as u64;
        if self.is_over && allowed == 0 {
            return Err(self.budget.fail(NotSearched::TooLarge));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_to_the_largest_size_and_not_further() {
        for (size, expected) in [(0, None), (9, None), (10, None), (11, Some(10)), (1000, Some(10))] {
            let bytes = vec![1; size];
            let budget = Budget::new(0);
            let mut all = Vec::new();
            let mut source = &bytes[..];
            let result = Sized::new(&mut source, 10, &budget).read_to_end(&mut all);
            assert_eq!(result.is_err(), expected.is_some(), "{size}");
            assert_eq!(all.len(), expected.unwrap_or(size), "{size}");
            if expected.is_some() {
                assert_eq!(budget.failure(), NotSearched::TooLarge);
            }
        }
    }

    #[test]
    fn all_archives_of_an_input_have_one_limit() {
        let budget = Budget::new(u64::MAX);
        budget.decompressed.set(TOTAL - 8);
        let mut reader = Decompressed { reader: io::repeat(0), budget: Rc::clone(&budget) };
        assert_eq!(reader.read(&mut [0; 8]).ok(), Some(8));
        assert!(reader.read(&mut [0; 8]).is_err());
        assert_eq!(budget.failure(), NotSearched::TooLarge);
    }

    #[test]
    fn memory_is_reserved_until_it_is_dropped() {
        let budget = Budget::new(0);
        for _ in 0..3 {
            let all = budget.reserve(MEMORY as u64);
            assert!(all.is_ok() && budget.reserve(1).is_err());
            assert_eq!(budget.failure(), NotSearched::TooLarge);
        }
        assert!(budget.reserve(u64::MAX).is_err() && budget.large.borrow().is_none());
    }

    #[test]
    fn the_reason_of_an_error_is_known_once() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        let budget = Budget::new(0);
        let mut reader = Input { reader: Broken, budget: Rc::clone(&budget) };
        assert!(reader.read(&mut [0; 8]).is_err());
        assert_eq!(budget.failure(), NotSearched::Unreadable);
        assert_eq!(budget.failure(), NotSearched::Damaged);
    }
}
