//! The memory between runs: what came of each, where that leads, what changed from one to another, and which may be deleted.
//! Computed here; `commands` shows it.

pub mod burn_down;
pub mod diff;
pub mod forecast;
mod retention;
mod sparkline;
mod summary;
mod usage;

pub use burn_down::{BurnDown, burn_down};
pub use forecast::{Forecast, forecast};
pub use retention::prunable;
pub use sparkline::sparkline;
pub use summary::{RunStats, RunSummary, summaries};
pub use usage::Usage;

named! {
    /// What the memory is shown as.
    pub enum PageFormat {
        /// For a terminal
        Text = "text",
        /// For programs (docs/history.md has the fields)
        Json = "json",
        /// For an issue, a page or a message
        Markdown = "markdown",
    }
}
