//! How near the meanings of texts are, by their embeddings.

/// From how near on two texts say the same.
pub const SAME: f64 = 0.92;
/// From how near on a text fits a question.
pub const FITS: f64 = 0.7;
/// With how many texts one is compared at most: those of last.
pub const MAX_COMPARED: i64 = 2_000;

/// How near two embeddings of unit length are: their cosine. Those of different lengths are not near.
#[must_use]
pub fn cosine(one: &[f32], other: &[f32]) -> f64 {
    if one.len() != other.len() {
        return 0.0;
    }
    one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// What lies at least so near to an embedding, with how near it is; the nearest first.
#[must_use]
pub fn near<T, V: AsRef<[f32]>>(to: &[f32], all: impl IntoIterator<Item = (T, V)>, least: f64) -> Vec<(T, f64)> {
    let mut near: Vec<_> = all
        .into_iter()
        .map(|(what, values)| (what, cosine(to, values.as_ref())))
        .filter(|(_, how_near)| *how_near >= least)
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_what_is_too_far_does_not_come() {
        let all = [("far", vec![0.0, 1.0]), ("near", vec![0.8, 0.6]), ("same", vec![1.0, 0.0]), ("other", vec![1.0])];
        let found: Vec<_> = near(&[1.0, 0.0], all, FITS).into_iter().map(|(what, _)| what).collect();
        assert_eq!(found, ["same", "near"]);
    }
}
