//! Which requests meet which fault.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::spec::{AuthFault, Fault, FaultKind, Resource};
use crate::rng::{Rng, stream};

/// What marks the address to which a redirect leads. No fault applies there.
pub(super) const REDIRECTED: &str = "sandbox-redirected=1";

/// A request, as far as it decides about its faults: its method, its path and its page. The rest of the query, the
/// spelling of the path and the base path make no difference.
pub(crate) struct FaultTarget {
    resource: Option<Resource>,
    is_list: bool,
    is_get: bool,
    has_credentials: bool,
    /// A number of the method and the path, and one of these and the page.
    list_number: u64,
    page_number: u64,
}

impl FaultTarget {
    /// `target` is a path and a query, `base` the product's base path. `None` for a request without faults.
    pub(crate) fn new(method: &str, target: &str, base: &str, has_credentials: bool) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if query.contains(REDIRECTED) {
            return None;
        }
        let path = path.strip_prefix(base).unwrap_or(path).trim_matches('/');
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let page = pairs.find(|(name, _)| name == "pageNum").map_or("1".into(), |(_, page)| page);
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        let list_number = hash(hash(0, method.as_bytes()), &decoded);
        let (resource, is_list) = classify(&path.split('/').collect::<Vec<_>>());
        Some(Self {
            resource,
            is_list,
            is_get: method == "GET",
            has_credentials,
            list_number,
            page_number: hash(list_number, page.as_bytes()),
        })
    }

    /// Whether a fault could apply here at all.
    fn suits(&self, fault: &Fault) -> bool {
        let limits = &fault.resources;
        let here = limits.is_empty() || self.resource.is_some_and(|resource| limits.contains(&resource));
        let altered = || {
            self.resource.is_some_and(|resource| fault.kind().fits(resource))
                && self.is_get
                && (self.is_list || !fault.kind().alters_lists())
        };
        here && (!matches!(fault.kind(), FaultKind::WrongData(_)) || altered())
    }

    /// What decides about a fault, and about its details.
    fn rng(&self, seed: u64, at: usize, kind: &FaultKind) -> Rng {
        let number = if kind.alters_lists() { self.list_number } else { self.page_number };
        Rng::new(seed, stream::FIRST_FAULT + at as u64, number)
    }
}

/// What a path leads to, and whether that is a list.
fn classify(segments: &[&str]) -> (Option<Resource>, bool) {
    match *segments {
        ["users", "byName", _] => (Some(Resource::ByName), false),
        ["users", _] => (Some(Resource::Users), false),
        ["users", _, "keys"] => (Some(Resource::Keys), true),
        ["users", _, "keys", _] => (Some(Resource::Keys), false),
        ["orgs" | "groups", _, "users"] | ["orgs", _, "teams", _, "users"] => (Some(Resource::Users), true),
        ["orgs" | "groups"] | ["orgs", _, "groups"] | ["orgs" | "groups", _, "teams"] => {
            (Some(Resource::Orgs), true)
        }
        ["orgs" | "groups", _]
        | ["groups", "byName", _]
        | ["orgs", _, "teams", _]
        | ["orgs", _, "teams", "byName", _] => (Some(Resource::Orgs), false),
        _ => (None, false),
    }
}

/// FNV-1a, which the generator mixes further; a byte that no text has keeps the parts apart.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().chain(&[0xff]).fold(start ^ 0xcbf2_9ce4_8422_2325, step)
}

/// All faults of a sandbox.
pub(crate) struct Faults {
    seed: u64,
    all: Vec<Fault>,
    /// How often a fault that passes was active for a request: some 24 bytes for each such request.
    counts: Mutex<HashMap<(usize, u64), u32>>,
}

/// When a fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the digest is looked at.
    BeforeDigest,
    AfterDigest,
}

/// The fault of one request.
#[derive(Clone, Copy)]
pub(crate) struct ActiveFault<'a> {
    pub(super) kind: &'a FaultKind,
    /// What is left to the seed, such as where a connection is cut.
    pub(super) random: u64,
}

impl ActiveFault<'_> {
    /// How the digest layer rejects the request, if it does.
    pub(crate) fn auth_fault(&self) -> Option<AuthFault> {
        match self.kind {
            FaultKind::Auth(fault) => Some(*fault),
            FaultKind::Replacement(_) | FaultKind::WrongData(_) | FaultKind::Transport(_) => None,
        }
    }
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self { seed, all: faults, counts: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The faults of a request, in the order in which they come.
    pub(crate) fn matching(&self, target: &FaultTarget) -> Vec<&Fault> {
        let (before, after): (Vec<_>, Vec<_>) =
            self.selected(target).map(|(_, fault, _)| fault).partition(|fault| fault.is_before_digest());
        [before, after].concat()
    }

    /// The fault that a request meets now: the first one that is not used up.
    pub(crate) fn activate(&self, target: &FaultTarget, stage: Stage) -> Option<ActiveFault<'_>> {
        let due = |fault: &Fault| {
            let rejects = matches!(fault.kind(), FaultKind::Auth(AuthFault::Stale | AuthFault::Refused));
            fault.is_before_digest() == (stage == Stage::BeforeDigest) && (target.has_credentials || !rejects)
        };
        let mut selected = self.selected(target).filter(|(_, fault, _)| due(fault));
        let found = selected.find(|(at, fault, _)| {
            fault.failures().is_none_or(|failures| self.count((*at, target.page_number), failures))
        });
        found.map(|(_, fault, mut rng)| ActiveFault { kind: fault.kind(), random: rng.next_u64() })
    }

    fn selected(&self, target: &FaultTarget) -> impl Iterator<Item = (usize, &Fault, Rng)> {
        let faults = self.all.iter().enumerate().filter(|(_, fault)| target.suits(fault));
        faults.filter_map(|(at, fault)| {
            let mut rng = target.rng(self.seed, at, fault.kind());
            is_in_share(rng.next_u64(), fault.share).then_some((at, fault, rng))
        })
    }

    /// Counts a failure, unless there were enough of them; returns whether it did.
    fn count(&self, request: (usize, u64), enough: u32) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(request).or_insert(0);
        let fails = *count < enough;
        *count += u32::from(fails);
        fails
    }
}

fn is_in_share(random: u64, share: f64) -> bool {
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) < share * 4_294_967_296.0
}
