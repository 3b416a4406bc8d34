//! The chart of the keys that are left, run by run, with the forecast.

use chrono::NaiveDate;

use super::charts::{Svg, WIDTH, share};
use crate::history::BurnDown;

/// Positions, in pixels.
const TOP: u64 = 25;
const BOTTOM: u64 = 165;
const LEFT: u64 = 45;
const LENGTH: u64 = WIDTH - LEFT - 60;
const ALL: &str = "#56b4e9";
const USED: &str = "#e69f00";

/// `None` with fewer than two runs to compare.
pub(super) fn figure(burn_down: &BurnDown) -> Option<String> {
    let days: Vec<NaiveDate> = burn_down.days.iter().map_while(|day| day.parse().ok()).collect();
    let [first, .., last] = days[..] else { return None };
    let most = burn_down.keys.iter().copied().max().unwrap_or_default().max(1);
    let end = burn_down.none_left.map_or(last, |day| day.max(last));
    let days_from_first = |day: NaiveDate| (day - first).num_days().unsigned_abs();
    let at = |day, count| {
        let x = LEFT * 10 + share(days_from_first(day), days_from_first(end), LENGTH);
        (x, BOTTOM * 10 - share(count, most, BOTTOM - TOP))
    };
    let mut svg = Svg::default();
    svg.line(&[(LEFT * 10, BOTTOM * 10), ((LEFT + LENGTH) * 10, BOTTOM * 10)], "stroke-width=\"1\"");
    svg.text(((LEFT - 6) * 10, TOP * 10 + 40), "end", &most.to_string());
    svg.text(((LEFT - 6) * 10, BOTTOM * 10), "end", "0");
    svg.text((LEFT * 10, BOTTOM * 10 + 170), "start", &first.to_string());
    svg.text(((LEFT + LENGTH) * 10, BOTTOM * 10 + 170), "end", &end.to_string());
    for (counts, colour, name) in
        [(&burn_down.keys, ALL, "all keys"), (&burn_down.used_after_cutoff, USED, "used after the cutoff")]
    {
        let points: Vec<_> = days.iter().zip(counts).map(|(day, count)| at(*day, *count)).collect();
        svg.line(&points, "stroke-width=\"1.5\"");
        for point in &points {
            svg.dot(*point, colour);
        }
        if let Some((x, y)) = points.first() {
            svg.text((x + 60, y.saturating_sub(70)), "start", name);
        }
    }
    if let (Some(day), Some(left)) = (burn_down.none_left, burn_down.keys.last()) {
        svg.line(&[at(last, *left), at(day, 0)], "stroke-width=\"1.5\" stroke-dasharray=\"5 3\"");
    }
    let label = "Lines: remaining keys by day of the run, with the forecast";
    Some(svg.figure(BOTTOM + 25, label, &in_words(burn_down)))
}

fn in_words(burn_down: &BurnDown) -> String {
    let BurnDown { days, keys, used_after_cutoff, forecast, incomplete, .. } = burn_down;
    let points = days.iter().zip(keys).zip(used_after_cutoff);
    let points =
        points.map(|((day, keys), used)| format!("{day}: {keys} keys, {used} used after the cutoff"));
    let points: Vec<_> = points.collect();
    let left_out = match incomplete {
        0 => String::new(),
        count => format!(" Incomplete runs left out: {count}."),
    };
    format!("{}. Forecast (dashed line): {forecast}.{left_out}", points.join("; "))
}
