//! The section "Where it sits": what `locate` found of the keys.

use minijinja::context;
use minijinja::value::{Serde, Value};

use crate::model::Suffix;
use crate::policy::Severity;
use crate::report::places::markdown::KeyPlaces;
use crate::report::places::{KEYS, PLACES, is_in_use};
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::{Row, RunContext};
use crate::store;

/// The worst keys with places, and the worst keys in use without one.
pub(in crate::report::formats) struct LocatedKeys {
    /// Whether a search of any deployment is known, and whether all of them are complete.
    is_searched: bool,
    is_complete: bool,
    located: TopN<Rank<Severity>, Value>,
    nowhere: TopN<Rank<Severity>, Value>,
}

impl LocatedKeys {
    pub(in crate::report::formats) fn new() -> Self {
        Self { is_searched: false, is_complete: true, located: TopN::new(KEYS), nowhere: TopN::new(KEYS) }
    }

    pub(in crate::report::formats) fn begin(&mut self, context: &RunContext) {
        if let Some(search) = &context.search {
            self.is_searched = true;
            self.is_complete &= search.is_complete();
        }
    }

    pub(in crate::report::formats) fn row(
        &mut self,
        context: &RunContext,
        row: &Row,
    ) -> Result<(), store::Error> {
        let (Some(search), Some((key, judged))) = (&context.search, &row.key) else { return Ok(()) };
        let Some(suffix) = &key.suffix else { return Ok(()) };
        let Some(counts) = search.counts(Some(suffix)) else { return Ok(()) };
        let places = match counts.all {
            0 => Vec::new(),
            _ => context.store.first_places(search, suffix, PLACES)?,
        };
        let rank = rank(judged.severity, key);
        let username = row.result.user.username.as_deref().unwrap_or_default();
        let (id, description, severity) = (&*key.id, &*key.description, judged.severity);
        let of_key = || KeyPlaces {
            key_id: id,
            key_suffix: Suffix::as_str(suffix),
            username,
            description,
            severity,
            ..KeyPlaces::of_places(&places, counts)
        };
        if !places.is_empty() {
            self.located.push(rank, || Value::from(Serde(of_key())));
        } else if is_in_use(judged.severity) {
            self.nowhere.push(rank, || Value::from(Serde(of_key())));
        }
        Ok(())
    }

    /// As the template has it.
    pub(in crate::report::formats) fn into_value(self) -> Value {
        let nowhere_count = self.nowhere.count();
        context! {
            is_searched => self.is_searched,
            is_search_complete => self.is_complete,
            located_count => self.located.count(),
            located => self.located.into_values().collect::<Vec<_>>(),
            nowhere => self.nowhere.into_values().collect::<Vec<_>>(),
            nowhere_count,
        }
    }
}
