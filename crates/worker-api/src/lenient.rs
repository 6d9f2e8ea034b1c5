//! What clients of the contract send beside what it says: numbers as text, and null for what is absent.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// An optional number, which may come as a text of digits or as a whole number with a fraction of zero. `null` and an
/// empty text are none. Use with `#[serde(default)]`.
///
/// # Errors
/// When it is anything else, or too large for the type.
pub fn number<'de, N: TryFrom<i64>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<N>, D::Error> {
    deserializer.deserialize_any(Number(PhantomData))
}

/// A list, where `null` is an empty one. Use with `#[serde(default)]`.
///
/// # Errors
/// When it is anything else.
pub fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

struct Number<N>(PhantomData<N>);

impl<'de, N: TryFrom<i64>> Visitor<'de> for Number<N> {
    type Value = Option<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of the allowed size, or a text of its digits")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        N::try_from(number).map(Some).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let small = i64::try_from(number).ok().and_then(|number| N::try_from(number).ok());
        small.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        // Beyond 2^53 a fraction of zero says nothing about the number that was meant.
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            return self.visit_i64(number as i64);
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let digits = text.trim();
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
        self.visit_i64(number)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read<N: TryFrom<i64>>(value: Value) -> Result<Option<N>, serde_json::Error> {
        number(value)
    }

    #[test]
    fn a_number_may_come_as_text_and_anything_else_is_refused() {
        for (given, number) in [
            (json!(7), Some(7)),
            (json!("7"), Some(7)),
            (json!(" 7 "), Some(7)),
            (json!(7.0), Some(7)),
            (json!("-1"), Some(-1)),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(read::<i64>(given.clone()).ok(), Some(number), "{given}");
        }
        for given in [json!("#7"), json!("7.5"), json!(7.5), json!(true), json!([7]), json!({"n": 7}), json!(1e300)] {
            assert!(read::<i64>(given.clone()).is_err(), "{given}");
        }
        for given in [json!(-1), json!("-1"), json!(4_294_967_296_i64), json!(u64::MAX)] {
            assert!(read::<u32>(given.clone()).is_err(), "{given}");
        }
    }

    #[test]
    fn a_list_may_be_null() {
        assert_eq!(list::<u8, _>(Value::Null).ok(), Some(Vec::new()));
        assert_eq!(list::<u8, _>(json!([1])).ok(), Some(vec![1]));
    }
}
