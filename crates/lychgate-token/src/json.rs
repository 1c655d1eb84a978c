//! Reads one JSON object as two different parsers could only read it alike.
//!
//! RFC 7519 section 4 lets a parser keep the last of two equal names or refuse them; two parsers that choose
//! differently see two different users in one token.
//! So equal names are refused, at every level.
//!
//! **Absent on purpose:** lenience. Trailing text, invalid UTF-8, lone surrogates, numbers beyond a double and values
//! nested deeper than [`DEPTH_MAX`] are all the same fault, because nobody who acts on it needs the difference.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many objects and arrays may lie in each other, the outermost object included.
const DEPTH_MAX: usize = 16;

/// Parses `bytes` as one JSON object of at most `members_max` members at its top level.
///
/// # Errors
///
/// Returns [`NotStrict`] for everything that is not exactly such an object.
pub(crate) fn object(bytes: &[u8], members_max: usize) -> Result<Map<String, Value>, NotStrict> {
    // Checked as a whole, since serde_json looks at the inside of strings alone.
    let text = std::str::from_utf8(bytes).map_err(|_| NotStrict)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Nested { depth: 0 }.deserialize(&mut deserializer).map_err(|_| NotStrict)?;
    deserializer.end().map_err(|_| NotStrict)?;
    match value {
        Value::Object(members) if members.len() <= members_max => Ok(members),
        _ => Err(NotStrict),
    }
}

/// The text is no JSON object within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotStrict;

/// Reads a value that lies inside `depth` objects and arrays.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth < DEPTH_MAX { Ok(Self { depth: self.depth + 1 }) } else { Err(E::custom("nested too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn depth_is_counted_from_the_outer_object() {
        assert!(object(nested(DEPTH_MAX).as_bytes(), 1).is_ok());
        assert_eq!(object(nested(DEPTH_MAX + 1).as_bytes(), 1), Err(NotStrict));
    }

    #[test]
    fn members_are_counted_at_the_top_only() {
        assert!(object(br#"{"a":{"b":1,"c":2}}"#, 1).is_ok());
        assert_eq!(object(br#"{"a":1,"b":2}"#, 1), Err(NotStrict));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let refused: [&[u8]; 16] = [
            br#"{"a":1,"a":1}"#,
            br#"{"a":1,"\u0061":2}"#,
            br#"{"x":{"a":1,"a":1}}"#,
            br#"{"x":[{"a":1,"a":1}]}"#,
            br#"{"a":"\ud800"}"#,
            br#"{"\udfff":1}"#,
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            br#"{"a":1e400}"#,
            br#"{"a":NaN}"#,
            br#"{"a":01}"#,
            br#"{"a":1,}"#,
            br#"{"a":1} {"#,
            br"{'a':1}",
            b"[]",
            b"",
        ];
        for text in refused {
            assert_eq!(object(text, 64), Err(NotStrict), "{}", String::from_utf8_lossy(text));
        }
        assert!(object(br#" {"a":"\ud83d\ude00","b":[{"a":1},{"a":1e3}],"c":null} "#, 64).is_ok());
    }
}
