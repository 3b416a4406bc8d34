//! The service itself.
