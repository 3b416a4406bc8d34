//! Several runs side by side: the results of each, the forecast, what changed from one to another, and which may be deleted.
//! Computed here; `commands` shows it.

pub(crate) mod burn_down;
pub(crate) mod diff;
pub(crate) mod forecast;
mod retention;
mod sparkline;
mod summary;
mod usage;

pub(crate) use burn_down::{BurnDown, burn_down};
pub(crate) use forecast::{Forecast, forecast};
pub(crate) use retention::prunable;
pub(crate) use sparkline::sparkline;
pub(crate) use summary::{RunStats, RunSummary, summaries};
pub(crate) use usage::{Usage, usage};

named! {
    /// The form in which `history` and `diff` are shown.
    pub(crate) enum PageFormat {
        /// Text, for a terminal
        Text = "text",
        /// JSON, for programs (docs/history.md)
        Json = "json",
        /// Markdown, for issues and messages
        Markdown = "markdown",
    }
}
