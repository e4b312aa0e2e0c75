//! One value of a key, or several.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;
use toml::Value;

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

/// Through a value of TOML: an untagged enum would say of every mistake that no variant fits.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = match Value::deserialize(deserializer)? {
            Value::Array(items) => items,
            one => vec![one],
        };
        let items = items.into_iter().map(T::deserialize).collect::<Result<_, _>>();
        items.map(Self).map_err(|error| D::Error::custom(error.message()))
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
        for (text, told) in [("-1", "expected usize"), ("[1, 'x']", "expected usize"), ("{}", "expected usize")] {
            let refused = toml::from_str::<Sizes>(&format!("sizes = {text}")).expect_err("no sizes").to_string();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
