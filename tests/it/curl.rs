//! The reference pages' own curl lines against the sandbox.
