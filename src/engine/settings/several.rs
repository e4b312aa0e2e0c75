//! One value of a key, or several.

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// `10` or `[10, 30]`, written as it would be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several<T>(Vec<T>);

impl<T> Deref for Several<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Serialize> Serialize for Several<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany(PhantomData)).map(Self)
    }
}

/// An untagged enum would say of every mistake that no variant fits.
struct OneOrMany<T>(PhantomData<T>);

impl<T> OneOrMany<T> {
    fn one<'de, E: Error>(value: impl IntoDeserializer<'de, E>) -> Result<Vec<T>, E>
    where
        T: Deserialize<'de>,
    {
        Ok(vec![T::deserialize(value.into_deserializer())?])
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<T>, E> {
        Self::one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<T>, E> {
        Self::one(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<T>, E> {
        Self::one(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Vec<T>, E> {
        Self::one(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Vec<T>, E> {
        Self::one(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sizes {
        sizes: Several<usize>,
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for text in ["sizes = 3\n", "sizes = [3, 4]\n", "sizes = []\n"] {
            let read: Sizes = toml::from_str(text).expect("sizes");
            assert_eq!(toml::to_string(&read).expect("a text"), text);
        }
        let read: Sizes = toml::from_str("sizes = [7]").expect("sizes");
        assert_eq!(toml::to_string(&read).expect("a text"), "sizes = 7\n");
    }

    #[test]
    fn mistakes_are_those_of_one_value() {
        for (text, told) in [("-1", "expected usize"), ("[1, 'x']", "expected usize"), ("{}", "a value or a list")] {
            let refused = toml::from_str::<Sizes>(&format!("sizes = {text}")).expect_err("no sizes").to_string();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
