//! Reading JSON objects into structs whose text is borrowed.
//!
//! Stricter than serde's derived readers in two ways: an array is no object, and a name twice is a fault in maps too.
//! More lenient in one: `null` is as good as a field that is absent, as it is for other servers of the protocol.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::centrifuge::Data;

/// A struct that is read from an object.
pub(super) trait Object<'de>: Default {
    /// The names it knows, at most 32.
    const NAMES: &'static [&'static str];

    /// Reads the value of the known `name`.
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error>;
}

/// Says which member of an object goes to which field: `"name" => field(path.to.field)`, or `is_present(…)` for a
/// member whose value does not matter.
macro_rules! object {
    ($type:ident $(<$life:lifetime>)? { $($name:literal => $how:ident($($field:tt)+),)* }) => {
        impl<'de> Object<'de> for $type$(<$life>)? {
            const NAMES: &'static [&'static str] = &[$($name),*];

            #[allow(unused_variables, reason = "an object without fields reads nothing")]
            fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
                match name {
                    $($name => $how(&mut self.$($field)+, members),)*
                    _ => Ok(()),
                }
            }
        }
    };
}
pub(super) use object;

/// An object in a JSON text.
pub(super) struct Of<T>(pub(super) T);

impl<'de, T: Object<'de>> Deserialize<'de> for Of<T> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(ObjectVisitor(PhantomData)).map(Of)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
        let mut object = T::default();
        let mut seen = 0_u32;
        while let Some(Text(name)) = members.next_key()? {
            let Some(index) = T::NAMES.iter().position(|known| *known == name) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            // check: centrifuge-json-field-twice
            if seen & (1 << index) != 0 {
                return Err(A::Error::custom("a field twice"));
            }
            seen |= 1 << index;
            object.read(&name, &mut members)?;
        }
        Ok(object)
    }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a value into `field`.
pub(super) fn field<'de, F: Field<'de>, A: MapAccess<'de>>(field: &mut F, members: &mut A) -> Result<(), A::Error> {
    field.fill(members)
}

/// Notes that there is a value.
pub(super) fn is_present<'de, A: MapAccess<'de>>(field: &mut bool, members: &mut A) -> Result<(), A::Error> {
    *field = members.next_value::<Option<IgnoredAny>>()?.is_some();
    Ok(())
}

/// A kind of field. It is at its zero value before it is filled, and stays there if the value is `null`.
pub(super) trait Field<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error>;
}

macro_rules! plain_fields {
    ($($type:ty)*) => {
        $(impl<'de> Field<'de> for $type {
            fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
                *self = members.next_value::<Option<$type>>()?.unwrap_or_default();
                Ok(())
            }
        })*
    };
}
plain_fields!(bool u32 u64 i32 i64);

impl<'de> Field<'de> for Cow<'de, str> {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        *self = members.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text).unwrap_or_default();
        Ok(())
    }
}

/// A payload may be `null`; it is absent only if it is not there.
impl<'de> Field<'de> for Data<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        *self = members.next_value::<&'de RawValue>()?.into();
        Ok(())
    }
}

impl<'de, T: Object<'de>> Field<'de> for T {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        *self = members.next_value::<Option<Of<T>>>()?.map(|Of(object)| object).unwrap_or_default();
        Ok(())
    }
}

impl<'de, T: Object<'de>> Field<'de> for Option<T> {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        *self = members.next_value::<Option<Of<T>>>()?.map(|Of(object)| object);
        Ok(())
    }
}

impl<'de, V: Field<'de> + Default> Field<'de> for BTreeMap<Cow<'de, str>, V> {
    fn fill<A: MapAccess<'de>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        *self = members.next_value::<Option<MapOf<'de, V>>>()?.map(|MapOf(map)| map).unwrap_or_default();
        Ok(())
    }
}

struct MapOf<'de, V>(BTreeMap<Cow<'de, str>, V>);

impl<'de, V: Field<'de> + Default> Deserialize<'de> for MapOf<'de, V> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(MapVisitor(PhantomData)).map(MapOf)
    }
}

struct MapVisitor<V>(PhantomData<V>);

impl<'de, V: Field<'de> + Default> Visitor<'de> for MapVisitor<V> {
    type Value = BTreeMap<Cow<'de, str>, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(Text(name)) = members.next_key()? {
            let mut value = V::default();
            value.fill(&mut members)?;
            let before = map.insert(name, value);
            // check: centrifuge-json-key-twice
            if before.is_some() {
                return Err(A::Error::custom("a key twice"));
            }
        }
        Ok(map)
    }
}
