//! Instants as forges write them: in UTC or with an offset, with fractions of a second or without.

use chrono::DateTime;
use std::cmp::Ordering;

/// Whether the first instant is before the second. Not where one of them can't be read: then nothing is left out.
pub(crate) fn is_before(one: &str, other: &str) -> bool {
    compare(one, other).is_lt()
}

/// Which of two instants is later; those that can't be read are equal.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    match (DateTime::parse_from_rfc3339(one), DateTime::parse_from_rfc3339(other)) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_compare_across_offsets() {
        assert!(is_before("2026-11-29T05:59:59+01:00", "2026-11-29T05:00:00Z"));
        assert!(!is_before("2026-11-29T06:00:00.123+01:00", "2026-11-29T05:00:00Z"));
        assert!(!is_before("yesterday", "2026-11-29T05:00:00Z"));
    }
}
