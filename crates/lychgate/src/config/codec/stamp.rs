//! Keys that the server writes into objects that pass through.

use super::super::fault::Faults;
use super::super::shape::{Choice, Report, Shape, Words, quote};
use super::super::tree::{Node, Value};
use super::template::show_key;

/// One key that the server writes into each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The key.
    pub key: String,
    /// What it is set to.
    pub value: StampExpression,
}

/// What a stamp may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampExpression {
    /// The user's name, as text.
    UserName,
    /// The user's id, as text.
    UserId,
    /// Seconds since 1970, with a fraction.
    NowUnix,
    /// The time in ISO 8601, in UTC.
    NowIso,
    /// A random UUID.
    Uuid,
}

impl Words for StampExpression {
    const ALL: &'static [(&'static str, Self)] = &[
        ("user.name", Self::UserName),
        ("user.id", Self::UserId),
        ("now.unix", Self::NowUnix),
        ("now.iso", Self::NowIso),
        ("uuid", Self::Uuid),
    ];
}

/// The most keys a codec writes into one object.
const STAMPS_MAX: usize = 16;

pub(super) struct Stamps;

impl Shape for Stamps {
    type Value = Vec<Stamp>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Vec<Stamp>> {
        let Value::Table(table) = &node.value else {
            return report.wrong(
                node,
                format!("expected a table, found {}", node.value.kind()),
                "Write { key = \"expression\" }, for example { user = \"user.name\" }",
            );
        };
        if table.0.len() > STAMPS_MAX {
            return report.wrong(node, "too many keys", format!("Write at most {STAMPS_MAX}"));
        }
        let expression = Choice::<StampExpression>::new();
        let stamps: Vec<_> = table
            .0
            .iter()
            .map(|(key, node)| {
                // Each fault names the stamp it is about.
                let name = format!("{}.{key}", report.key);
                let mut own = Faults::default();
                let value = expression.read(node, &mut Report { faults: &mut own, key: &name });
                for fault in own.iter() {
                    report.faults.add(fault.place.clone(), &name, &fault.wrong, &fault.remedy);
                }
                value.map(|value| Stamp { key: key.clone(), value })
            })
            .collect();
        stamps.into_iter().collect()
    }

    fn show(&self, value: &Vec<Stamp>) -> Option<String> {
        let pairs: Vec<_> =
            value.iter().map(|stamp| format!("{} = {}", show_key(&stamp.key), quote(stamp.value.word()))).collect();
        Some(if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) })
    }

    fn describe(&self) -> String {
        "{ key = \"expression\" }".to_owned()
    }
}
