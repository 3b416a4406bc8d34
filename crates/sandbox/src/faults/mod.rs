//! Answers that a well-behaved service never gives: which requests get one, and what it is like. This module knows neither
//! the handlers nor the deployment.
//!
//! Which requests meet a fault follows from the seed and from what is requested, never from the order or the time of
//! arrival. So a run against a broken deployment can be repeated, and a test knows beforehand what must come of it.
//!
//! ```text
//! spec: what `--fault` takes ── selection: which requests meet it ── replacement: another answer
//!                                                                 ├─ wrong_data: the answer, altered
//!                                                                 └─ transport: the answer, lost or damaged on its way
//! ```

mod replacement;
mod selection;
mod spec;
mod transport;
mod wrong_data;

pub use self::replacement::{Replacement, StatusDetail};
pub use self::spec::{AuthFault, Fault, FaultError, FaultKind, Resource};
pub use self::transport::Transport;
pub use self::wrong_data::{WrongData, WrongTotal};

pub(crate) use self::selection::{ActiveFault, FaultTarget, Faults, Stage};
pub(crate) use self::spec::HELP;
pub(crate) use self::transport::{FaultListener, Peer};
