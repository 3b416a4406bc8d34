//! Durations in words.

use std::time::Duration;

/// In two units at most: `350ms`, `4.2s`, `45s`, `3m 20s`, `1h 05m`, `3 days`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0s".to_owned(),
        0 if duration < Duration::from_millis(1) => "under 1ms".to_owned(),
        0 => format!("{}ms", duration.as_millis()),
        1..10 if duration.subsec_millis() >= 50 => format!("{:.1}s", duration.as_secs_f64()),
        1..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..172_800 if seconds % 3600 < 60 => format!("{}h", seconds / 3600),
        3600..172_800 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_units_that_fit() {
        for (milliseconds, shown) in [
            (0, "0s"),
            (12, "12ms"),
            (1000, "1s"),
            (1_250, "1.2s"),
            (45_600, "45s"),
            (60_000, "1m"),
            (65_000, "1m 05s"),
            (200_000, "3m 20s"),
            (3_600_000, "1h"),
            (3_900_000, "1h 05m"),
            (9_000_000, "2h 30m"),
            (864_000_000, "10 days"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), shown);
        }
        assert_eq!(duration(Duration::from_nanos(5)), "under 1ms");
    }
}
