//! Stretches of time: joined, cut, taken from each other. Lists are by begin, and their stretches apart, unless said otherwise.

use crate::domain::time::Window;

/// In order, joined where they touch or overlap, cut to a window; the list may be in any order.
#[must_use]
pub fn merged(mut all: Vec<Window>, within: Window) -> Vec<Window> {
    for span in &mut all {
        *span = Window { from: span.from.max(within.from), to: span.to.min(within.to) };
    }
    all.retain(|span| span.from < span.to);
    all.sort_by_key(|span| (span.from, span.to));
    let mut out: Vec<Window> = Vec::with_capacity(all.len());
    for span in all {
        match out.last_mut().filter(|last| span.from <= last.to) {
            Some(last) => last.to = last.to.max(span.to),
            None => out.push(span),
        }
    }
    out
}

/// What is left of `open` without `busy`.
#[must_use]
pub fn free_of(open: &[Window], busy: &[Window]) -> Vec<Window> {
    let mut out = Vec::new();
    let mut busy = busy.iter().peekable();
    for stretch in open {
        let mut from = stretch.from;
        while let Some(taken) = busy.peek().filter(|taken| taken.from < stretch.to) {
            if taken.from > from {
                out.push(Window { from, to: taken.from });
            }
            from = from.max(taken.to);
            // It may reach into the next stretch.
            if taken.to > stretch.to {
                break;
            }
            busy.next();
        }
        if from < stretch.to {
            out.push(Window { from, to: stretch.to });
        }
    }
    out
}

/// What is in both.
#[must_use]
pub fn common(a: &[Window], b: &[Window]) -> Vec<Window> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut out = Vec::new();
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let both = Window { from: one.from.max(other.from), to: one.to.min(other.to) };
        if both.from < both.to {
            out.push(both);
        }
        if one.to <= other.to {
            a.next()
        } else {
            b.next()
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;

    fn spans(text: &[(i64, i64)]) -> Vec<Window> {
        let at = |minute: i64| DateTime::UNIX_EPOCH + Duration::minutes(minute);
        text.iter().map(|(from, to)| Window { from: at(*from), to: at(*to) }).collect()
    }

    fn in_minutes(all: &[Window]) -> Vec<(i64, i64)> {
        let minute = |at: DateTime<chrono::Utc>| at.timestamp() / 60;
        all.iter().map(|span| (minute(span.from), minute(span.to))).collect()
    }

    /// The minutes of a list, one by one.
    fn minutes(all: &[Window]) -> Vec<i64> {
        in_minutes(all).into_iter().flat_map(|(from, to)| from..to).collect()
    }

    #[test]
    fn lists_are_joined_cut_and_taken_from_each_other() {
        let within = spans(&[(0, 100)])[0];
        assert_eq!(
            in_minutes(&merged(spans(&[(50, 60), (-5, 10), (10, 20), (58, 120), (7, 7)]), within)),
            [(0, 20), (50, 100)]
        );
        assert_eq!(
            in_minutes(&free_of(&spans(&[(0, 50), (60, 90)]), &spans(&[(10, 20), (40, 70)]))),
            [(0, 10), (20, 40), (70, 90)]
        );
        assert_eq!(in_minutes(&free_of(&spans(&[(0, 50)]), &[])), [(0, 50)]);
        assert_eq!(
            in_minutes(&common(&spans(&[(0, 50), (60, 90)]), &spans(&[(10, 20), (40, 70)]))),
            [(10, 20), (40, 50), (60, 70)]
        );
    }

    #[test]
    fn they_agree_with_counting_minute_by_minute() {
        let mut seed = 7_u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(seed >> 40).expect("24 bits") % 60
        };
        for _ in 0..2_000 {
            let within = spans(&[(0, 60)])[0];
            let mut list = || {
                let raw: Vec<_> = (0..4).map(|_| (draw(), draw())).filter(|(from, to)| from < to).collect();
                merged(spans(&raw), within)
            };
            let (a, b) = (list(), list());
            let (in_a, in_b) = (minutes(&a), minutes(&b));
            let left: Vec<_> = in_a.iter().filter(|minute| !in_b.contains(minute)).copied().collect();
            let both: Vec<_> = in_a.iter().filter(|minute| in_b.contains(minute)).copied().collect();
            assert_eq!(minutes(&free_of(&a, &b)), left, "{a:?} without {b:?}");
            assert_eq!(minutes(&common(&a, &b)), both, "{a:?} and {b:?}");
        }
    }
}
