//! Instants as forges write them: in UTC or with an offset, with fractions of a second or without.

use chrono::DateTime;

/// Whether the first instant is before the second. Not where one of them can't be read: then nothing is left out.
pub(crate) fn is_before(one: &str, other: &str) -> bool {
    match (DateTime::parse_from_rfc3339(one), DateTime::parse_from_rfc3339(other)) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
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
