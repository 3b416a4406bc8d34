//! The charts as inline SVG. Colours and lengths are attributes of the elements, so that a page whose styles are blocked still
//! shows them; text and lines have the colour of the text around them. Each chart has its numbers in words below it.
//!
//! The colours differ in lightness too, and every area has an outline and a label.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use minijinja::HtmlEscape;

use super::period::{Period, Quarter};
use crate::model::ReadStatus;
use crate::output::text::{printable, shortened};
use crate::policy::Severity;
use crate::report::{OrganizationSummary, Summary, worst_first};

pub(super) const WIDTH: u64 = 720;
/// Of the rows of a legend, and of the bars of organizations.
const ROW: u64 = 20;
/// Organizations with a bar. The table has more.
const ORGANIZATIONS: usize = 15;
const BEFORE: &str = "#56b4e9";
const AFTER: &str = "#e69f00";
const NEVER: &str = "#999999";
const UNKNOWN: &str = "#f0e442";

const fn severity_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#a50f15",
        Severity::High => "#e69f00",
        Severity::Medium => "#f0e442",
        Severity::Low => "#56b4e9",
        Severity::Info => "#999999",
    }
}

const fn status_colour(status: ReadStatus) -> &'static str {
    match status {
        ReadStatus::Read => "#56b4e9",
        ReadStatus::Removed => "#999999",
        ReadStatus::Forbidden => "#a50f15",
        ReadStatus::NotFound => "#e69f00",
        ReadStatus::RateLimited => "#f0e442",
        ReadStatus::Partial => "#cc79a7",
        ReadStatus::Malformed => "#0072b2",
        ReadStatus::Error => "#5b2a86",
    }
}

/// A length with one decimal, in tenths.
#[derive(Clone, Copy)]
pub(super) struct Tenths(pub(super) u64);

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{}", self.0 / 10)
        } else {
            write!(f, "{}.{}", self.0 / 10, self.0 % 10)
        }
    }
}

/// A share of a length in tenths; 0 of nothing.
pub(super) fn share(part: u64, whole: u64, length: u64) -> u64 {
    (part * length * 10).checked_div(whole).unwrap_or(0)
}

/// A chart in progress. Writing to a string can't fail.
#[derive(Default)]
pub(super) struct Svg(String);

impl Svg {
    /// A filled area with an outline; positions in tenths.
    pub(super) fn area(&mut self, (x, y): (u64, u64), (width, height): (u64, u64), colour: &str) {
        let [x, y, width, height] = [x, y, width, height].map(Tenths);
        let _ = write!(
            self.0,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" stroke=\"currentColor\" \
             stroke-width=\"0.6\"/>"
        );
    }

    /// Text that starts, is centred or ends there.
    pub(super) fn text(&mut self, (x, y): (u64, u64), anchor: &str, text: &str) {
        let (x, y) = (Tenths(x), Tenths(y));
        let text = printable(text);
        let text = HtmlEscape(&text);
        let _ = write!(
            self.0,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"currentColor\">{text}</text>"
        );
    }

    /// A line through points; `style` are more attributes.
    pub(super) fn line(&mut self, points: &[(u64, u64)], style: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{},{}", Tenths(*x), Tenths(*y))).collect();
        let points = points.join(" ");
        let _ =
            write!(self.0, "<polyline points=\"{points}\" fill=\"none\" stroke=\"currentColor\" {style}/>");
    }

    pub(super) fn dot(&mut self, (x, y): (u64, u64), colour: &str) {
        let (x, y) = (Tenths(x), Tenths(y));
        let _ = write!(
            self.0,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\" fill=\"{colour}\" stroke=\"currentColor\" stroke-width=\"0.6\"/>"
        );
    }

    /// The whole figure. `label` is what it shows, `words` has the numbers.
    pub(super) fn figure(self, height: u64, label: &str, words: &str) -> String {
        let (label, words) = (printable(label), printable(words));
        format!(
            "<figure class=\"scroll\" tabindex=\"0\"><svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
             aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"12\">{}</svg><figcaption>{}</figcaption></figure>",
            HtmlEscape(&label),
            self.0,
            HtmlEscape(&words)
        )
    }
}

/// A part of a bar.
struct Part {
    name: &'static str,
    count: u64,
    colour: &'static str,
}

/// The parts of a bar side by side, from `start` on, all in tenths.
fn bar(svg: &mut Svg, parts: &[Part], (start, y): (u64, u64), (length, whole): (u64, u64), height: u64) {
    let mut before = 0;
    for Part { count, colour, .. } in parts.iter().filter(|part| part.count > 0) {
        let (from, to) = (share(before, whole, length), share(before + count, whole, length));
        svg.area((start + from, y), ((to - from).max(10), height), colour);
        before += count;
    }
}

/// One bar with its legend.
fn shares(parts: &[Part], label: &str, noun: &str) -> String {
    let total: u64 = parts.iter().map(|part| part.count).sum();
    if total == 0 {
        return String::new();
    }
    let mut svg = Svg::default();
    bar(&mut svg, parts, (50, 50), (WIDTH - 10, total), 300);
    let height = legend(&mut svg, parts, 50);
    let words: Vec<_> = parts.iter().map(|part| format!("{} {}", part.count, part.name)).collect();
    svg.figure(height, label, &format!("{}; {total} {noun} in all.", words.join(", ")))
}

/// The colours with names and counts, below `y`; returns the height of the chart.
fn legend(svg: &mut Svg, parts: &[Part], y: u64) -> u64 {
    let (mut x, mut y) = (5, y);
    for Part { name, count, colour } in parts.iter().filter(|part| part.count > 0) {
        let text = format!("{name} {count}");
        let width = 30 + 7 * text.len() as u64;
        if x + width > WIDTH {
            (x, y) = (5, y + ROW);
        }
        svg.area((x * 10, (y - 5) * 10), (120, 120), colour);
        svg.text(((x + 17) * 10, (y + 5) * 10), "start", &text);
        x += width;
    }
    y + 15
}

pub(super) fn severities(total: &Summary) -> String {
    let part =
        |it: &Severity| Part { name: it.as_str(), count: total.severity(*it), colour: severity_colour(*it) };
    let parts: Vec<_> = Severity::ALL.iter().map(part).collect();
    shares(&parts, "Bar: keys by severity", "keys")
}

pub(super) fn read_statuses(total: &Summary) -> String {
    let part =
        |it: &ReadStatus| Part { name: it.as_str(), count: total.users(*it), colour: status_colour(*it) };
    let parts: Vec<_> = ReadStatus::ALL.iter().map(part).filter(|part| part.count > 0).collect();
    shares(&parts, "Bar: users by read status", "users")
}

/// The worst organizations, each with its keys by severity.
pub(super) fn organizations(all: &[OrganizationSummary]) -> String {
    let worst = worst_first(all);
    let shown = &worst[..worst.len().min(ORGANIZATIONS)];
    let Some(most) = shown.iter().map(|it| it.keys).max().filter(|most| *most > 0) else {
        return String::new();
    };
    let (mut svg, left, length) = (Svg::default(), 220, 430);
    for (number, summary) in (0_u64..).zip(shown) {
        let organization = &summary.organization;
        let name = shortened(organization.name.as_deref().unwrap_or(&organization.id), 30);
        let part = |it: &Severity| Part {
            name: it.as_str(),
            count: summary.severity(*it),
            colour: severity_colour(*it),
        };
        let parts: Vec<_> = Severity::ALL.iter().map(part).collect();
        let y = (number * ROW + 4) * 10;
        svg.text(((left - 8) * 10, y + 110), "end", &name);
        bar(&mut svg, &parts, (left * 10, y), (length, most), 140);
        let end = left * 10 + share(summary.keys, most, length) + 60;
        svg.text((end, y + 110), "start", &summary.keys.to_string());
    }
    let height = shown.len() as u64 * ROW + 10;
    let label = "Bars: keys of the worst organizations by severity";
    let words = "Critical, high, medium, low and info from left to right. The table has the numbers.";
    svg.figure(height, label, words)
}

/// Keys by quarter of the last use: those used before the cutoff, and those used at or after it.
pub(super) type Quarters = BTreeMap<Period, [u64; 2]>;

/// Positions of the chart of quarters, in pixels.
const TOP: u64 = 25;
const BOTTOM: u64 = 165;
const LEFT: u64 = 40;
const SPECIAL: u64 = 62;

/// `fraction` is the place of the cutoff in its quarter, in thousandths.
pub(super) fn quarters(counts: &Quarters, (cutoff, fraction): (Quarter, u64), day: &str) -> String {
    let of = |period| counts.get(&period).map_or(0, |[before, after]| before + after);
    let most = counts.values().map(|[before, after]| before + after).max().unwrap_or_default();
    let used = counts.keys().filter_map(|period| match period {
        Period::Quarter(quarter) => Some(quarter.0),
        Period::Future | Period::Before2010 | Period::Never | Period::Unknown => None,
    });
    let (mut first, mut last) = (cutoff.0, cutoff.0);
    for quarter in used {
        (first, last) = (first.min(quarter), last.max(quarter));
    }
    let ends = [Period::Before2010, Period::Future, Period::Never, Period::Unknown].map(|it| (it, of(it)));
    let [before, rest @ ..] = ends.map(|(period, count)| (count > 0).then_some((period, count)));
    let specials = u64::from(before.is_some()) + rest.iter().flatten().count() as u64;
    let start = LEFT + SPECIAL * u64::from(before.is_some());
    let length = WIDTH - LEFT - 5 - SPECIAL * specials;
    let slots = u64::from((last - first).unsigned_abs()) + 1;
    let mut chart = QuarterChart { svg: Svg::default(), most };
    chart.axis();
    if let Some((period, count)) = before {
        chart.special(period, count, LEFT);
    }
    let at = |slot: u64| start * 10 + slot * length * 10 / slots;
    for (slot, quarter) in (0..).zip(first..=last) {
        let counts = counts.get(&Period::Quarter(Quarter(quarter))).copied().unwrap_or_default();
        chart.column(counts, (at(slot), at(slot + 1)));
        let quarter = Quarter(quarter);
        if quarter.number() == 1 && (slots < 80 || quarter.year() % 5 == 0) {
            chart.tick(at(slot), &quarter.year().to_string());
        }
    }
    for (place, (period, count)) in (0..).zip(rest.into_iter().flatten()) {
        chart.special(period, count, start + length + SPECIAL * place);
    }
    let slot = u64::from((cutoff.0 - first).unsigned_abs());
    chart.cutoff(at(slot) + (at(slot + 1) - at(slot)) * fraction / 1000, day);
    chart.svg.figure(
        BOTTOM + 35,
        "Bars: keys by quarter of the last use, with the cutoff",
        &in_words(counts, day),
    )
}

struct QuarterChart {
    svg: Svg,
    most: u64,
}

impl QuarterChart {
    fn axis(&mut self) {
        self.svg.line(&[(LEFT * 10, BOTTOM * 10), ((WIDTH - 5) * 10, BOTTOM * 10)], "stroke-width=\"1\"");
        self.svg.text(((LEFT - 5) * 10, TOP * 10 + 40), "end", &self.most.to_string());
        self.svg.text(((LEFT - 5) * 10, BOTTOM * 10), "end", "0");
    }

    fn column(&mut self, [before, after]: [u64; 2], (from, to): (u64, u64)) {
        let gap = (to - from) / 10;
        let mut bottom = BOTTOM * 10;
        for (count, colour) in [(before, BEFORE), (after, AFTER)].into_iter().filter(|(count, _)| *count > 0)
        {
            let height = share(count, self.most, BOTTOM - TOP).max(10);
            bottom -= height;
            self.svg.area((from + gap, bottom), (to - from - 2 * gap, height), colour);
        }
    }

    /// A bar for keys without a quarter.
    fn special(&mut self, period: Period, count: u64, x: u64) {
        let (name, colour) = match period {
            Period::Future => ("future", AFTER),
            Period::Quarter(_) | Period::Before2010 => ("before 2010", BEFORE),
            Period::Never => ("never", NEVER),
            Period::Unknown => ("unknown", UNKNOWN),
        };
        let height = share(count, self.most, BOTTOM - TOP).max(10);
        self.svg.area(((x + 16) * 10, BOTTOM * 10 - height), (300, height), colour);
        self.svg.text(((x + 31) * 10, BOTTOM * 10 + 150), "middle", name);
        self.svg.text(((x + 31) * 10, BOTTOM * 10 + 290), "middle", &count.to_string());
    }

    fn tick(&mut self, x: u64, year: &str) {
        self.svg.line(&[(x, BOTTOM * 10), (x, BOTTOM * 10 + 50)], "stroke-width=\"1\"");
        self.svg.text((x, BOTTOM * 10 + 170), "start", year);
    }

    fn cutoff(&mut self, x: u64, day: &str) {
        self.svg
            .line(&[(x, TOP * 10 - 80), (x, BOTTOM * 10)], "stroke-width=\"1.5\" stroke-dasharray=\"5 3\"");
        let (anchor, x) = if x > WIDTH * 5 { ("end", x - 40) } else { ("start", x + 40) };
        self.svg.text((x, TOP * 10 - 100), anchor, &format!("cutoff {day}"));
    }
}

fn in_words(counts: &Quarters, day: &str) -> String {
    let sum = |place: usize| counts.values().map(|both| both[place]).sum::<u64>();
    let of = |period| counts.get(&period).map_or(0, |[before, after]| before + after);
    let [never, unknown] = [Period::Never, Period::Unknown].map(of);
    let mut words = format!(
        "Last used at or after the cutoff {day}: {}; before it: {}; never used: {never}; last use unknown: {unknown}.",
        sum(1),
        sum(0) - never - unknown,
    );
    let mut year = None;
    for (period, [before, after]) in counts.iter().rev() {
        let Period::Quarter(quarter) = period else { continue };
        let sign = if year == Some(quarter.year()) { "," } else { ";" };
        let sign = if year.is_none() { " By quarter:" } else { sign };
        let name = if year == Some(quarter.year()) { String::new() } else { format!(" {}:", quarter.year()) };
        let _ = write!(words, "{sign}{name} Q{} {}", quarter.number(), before + after);
        year = Some(quarter.year());
    }
    for (period, name) in [(Period::Before2010, "before 2010"), (Period::Future, "in the future")] {
        if of(period) > 0 {
            let _ = write!(words, "; {name} {}", of(period));
        }
    }
    words.push('.');
    words.replace("..", ".")
}
