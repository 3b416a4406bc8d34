//! Who is hit by which fault.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::super::scramble::Dice;
use super::kind::{AuthFault, FaultKind};
use super::spec::{Fault, Resource};

/// Salt of the first fault; the next one's is one more.
const FIRST: u64 = 1_000;

/// What marks the address to which a redirect leads. No fault hits it.
pub(super) const LANDED: &str = "sandbox-redirected=1";

/// A request, as far as it decides whether it is hit: its method, its path and its page. The rest of the query, the
/// spelling of the path and the base path make no difference.
pub(crate) struct Asked {
    pub(super) resource: Option<Resource>,
    pub(super) is_list: bool,
    /// Whether it is a `GET`.
    pub(super) reads: bool,
    /// Whether it comes with credentials.
    answers: bool,
    /// A number of the method and the path, and one of these and the page.
    list_number: u64,
    page_number: u64,
}

impl Asked {
    /// `target` is a path and a query, `base` the product's base path. `None` for what no fault may hit.
    pub(crate) fn new(method: &str, target: &str, base: &str, answers: bool) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if query.contains(LANDED) {
            return None;
        }
        let path = path.strip_prefix(base).unwrap_or(path).trim_matches('/');
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let page = pairs.find(|(name, _)| name == "pageNum").map_or("1".into(), |(_, page)| page);
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        let list_number = number(number(0, method.as_bytes()), &decoded);
        let segments: Vec<&str> = path.split('/').collect();
        let (resource, is_list) = place(&segments);
        Some(Self {
            resource,
            is_list,
            reads: method == "GET",
            answers,
            list_number,
            page_number: number(list_number, page.as_bytes()),
        })
    }

    /// What decides about a fault, and about its details.
    fn dice(&self, seed: u64, at: usize, kind: &FaultKind) -> Dice {
        let number = if kind.bends_lists() { self.list_number } else { self.page_number };
        Dice::new(seed, FIRST + at as u64, number)
    }
}

/// What a path leads to, and whether that is a list.
fn place(segments: &[&str]) -> (Option<Resource>, bool) {
    match *segments {
        ["users", "byName", _] => (Some(Resource::ByName), false),
        ["users", _] => (Some(Resource::Users), false),
        ["users", _, "keys"] => (Some(Resource::Keys), true),
        ["users", _, "keys", _] => (Some(Resource::Keys), false),
        ["orgs" | "groups", _, "users"] => (Some(Resource::Users), true),
        ["orgs" | "groups"] | ["orgs", _, "groups"] => (Some(Resource::Orgs), true),
        ["orgs" | "groups", _] => (Some(Resource::Orgs), false),
        _ => (None, false),
    }
}

/// FNV-1a, which the dice scramble further; a byte that no text has keeps the parts apart.
fn number(start: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().chain(&[0xff]).fold(start ^ 0xcbf2_9ce4_8422_2325, step)
}

/// All faults of a sandbox.
pub(crate) struct Faults {
    seed: u64,
    all: Vec<Fault>,
    /// How often a fault that passes has struck a request: some 24 bytes for each that was hit.
    struck: Mutex<HashMap<(usize, u64), u32>>,
}

/// A fault that strikes.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(super) kind: &'a FaultKind,
    /// What is left to the seed, such as where a connection is cut.
    pub(super) chance: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        Self { seed, all: faults, struck: Mutex::default() }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.all.is_empty()
    }

    /// The faults that lie in wait for a request, in the order in which they strike.
    pub(crate) fn of(&self, asked: &Asked) -> Vec<&Fault> {
        let (front, behind): (Vec<_>, Vec<_>) =
            self.hitting(asked).map(|(_, fault, _)| fault).partition(|fault| fault.is_in_front());
        [front, behind].concat()
    }

    /// What strikes a request now, before its digest is looked at or after that. The first one wins that is not used up.
    pub(crate) fn strike(&self, asked: &Asked, front: bool) -> Option<Hit<'_>> {
        let due = |fault: &Fault| {
            fault.is_in_front() == front
                && (asked.answers
                    || !matches!(fault.kind(), FaultKind::Auth(AuthFault::Stale | AuthFault::Refused)))
        };
        let mut hits = self.hitting(asked).filter(|(_, fault, _)| due(fault));
        hits.find(|(at, fault, _)| {
            fault.first().is_none_or(|first| self.is_early((*at, asked.page_number), first))
        })
        .map(|(_, fault, mut dice)| Hit { kind: fault.kind(), chance: dice.roll() })
    }

    fn hitting(&self, asked: &Asked) -> impl Iterator<Item = (usize, &Fault, Dice)> {
        let faults = self.all.iter().enumerate().filter(|(_, fault)| fault.concerns(asked));
        faults.filter_map(|(at, fault)| {
            let mut dice = asked.dice(self.seed, at, fault.kind());
            hits(dice.roll(), fault.share()).then_some((at, fault, dice))
        })
    }

    /// Counts an attempt, and tells whether it is one of the first.
    fn is_early(&self, what: (usize, u64), first: u32) -> bool {
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        let count = struck.entry(what).or_insert(0);
        let early = *count < first;
        *count += u32::from(early);
        early
    }
}

/// Whether a roll lies in a share.
fn hits(roll: u64, share: f64) -> bool {
    f64::from(u32::try_from(roll >> 32).unwrap_or(u32::MAX)) < share * 4_294_967_296.0
}
