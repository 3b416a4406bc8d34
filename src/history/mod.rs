//! The memory between runs: what each came to, where that leads, what changed from one to another, and which may go.
//! Computed here; `commands` shows it.

pub mod burn_down;
pub mod diff;
pub mod forecast;
mod keeping;
mod points;
mod sparkline;
mod usage;

pub use burn_down::{BurnDown, burn_down};
pub use forecast::{Forecast, forecast};
pub use keeping::surplus;
pub use points::{RunSummary, point, points};
pub use sparkline::sparkline;
pub use usage::Usage;

named! {
    /// What the memory is shown as.
    pub enum Form {
        /// For a terminal
        Text = "text",
        /// For programs (docs/history.md has the fields)
        Json = "json",
        /// For an issue, a page or a message
        Markdown = "markdown",
    }
}
