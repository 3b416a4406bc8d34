//! Numbers as a chart in one line.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// For what is not known.
const UNKNOWN: char = '·';
/// Runs shown.
const LENGTH: usize = 60;

/// The last 60 of these numbers, from 0 to the greatest of them. The lowest block is 0 and nothing else; what is not known
/// is a dot.
pub(crate) fn sparkline(numbers: &[Option<u64>]) -> String {
    let shown = &numbers[numbers.len().saturating_sub(LENGTH)..];
    let most = shown.iter().flatten().max().copied().unwrap_or_default().max(1);
    let block = |number: &Option<u64>| match number {
        Some(number) => {
            let step = (u128::from(*number) * 7).div_ceil(u128::from(most));
            usize::try_from(step).ok().and_then(|step| BLOCKS.get(step)).copied().unwrap_or(UNKNOWN)
        }
        None => UNKNOWN,
    };
    shown.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_the_lowest_block() {
        assert_eq!(sparkline(&[Some(0), Some(1), None, Some(500), Some(1000)]), "▁▂·▅█");
        assert_eq!(
            sparkline(&[Some(7), Some(6), Some(5), Some(4), Some(3), Some(2), Some(1), Some(0)]),
            "█▇▆▅▄▃▂▁"
        );
        assert_eq!(sparkline(&[Some(0), Some(0)]), "▁▁");
        assert_eq!(sparkline(&[Some(u64::MAX), Some(1)]), "█▂");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn the_last_sixty_are_shown() {
        let numbers: Vec<_> = (0..100).map(|number| Some(u64::from(number >= 40))).collect();
        assert_eq!(sparkline(&numbers), "█".repeat(60));
    }
}
