//! A page for a terminal. It has the same bytes wherever it goes, but for the escape codes of styles.

use anstyle::Style;

use super::{Text, WIDTH, without_commands};

/// Lines that fit the width of a page, mostly a label and its value each.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// Adds a label and its value.
    pub(crate) fn line(&mut self, label: &str, value: impl Into<Text>) {
        self.styled_line(Style::new(), label, value);
    }

    /// Adds a label with a style, and its value.
    pub(crate) fn styled_line(&mut self, style: Style, label: &str, value: impl Into<Text>) {
        self.columns(Text::from("  ").styled(style, label), 14, value);
    }

    /// Adds a line a value, with the label on the first.
    pub(crate) fn lines<T: Into<Text>>(&mut self, label: &str, values: impl IntoIterator<Item = T>) {
        for (at, value) in values.into_iter().enumerate() {
            self.line(if at == 0 { label } else { "" }, value);
        }
    }

    /// Adds what fills so many columns, and the text beside it.
    pub(crate) fn columns(&mut self, first: Text, columns: usize, text: impl Into<Text>) {
        let padding = " ".repeat(columns.saturating_sub(first.width()));
        let first = first.plain(&padding);
        let beside = text.into().wrapped(WIDTH, first.width(), columns);
        let line = first.unwrapped();
        let line = if beside.is_empty() || beside.starts_with('\n') { line.trim_end() } else { &line };
        self.0.push_str(line);
        self.0.push_str(&beside);
        self.0.push('\n');
    }

    /// Adds text without a label, from the margin on.
    pub(crate) fn text(&mut self, text: impl Into<Text>) {
        self.0.push_str(&text.into().wrapped(WIDTH, 0, 2));
        self.0.push('\n');
    }

    /// Adds an empty line.
    pub(crate) fn gap(&mut self) {
        self.0.push('\n');
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        without_commands(&self.0).into_owned()
    }
}
