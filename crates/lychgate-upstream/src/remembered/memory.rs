//! Answers with the time at which they are forgotten.
//!
//! **Invariant:** `by_age` and `by_question` hold the same entries, and `bytes` is what these weigh together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lychgate_service::ports::rights::{Answer, Parameter, Question};
use serde_json::Value;
use tokio::time::Instant;

use super::MemoryLimits;

/// What an entry weighs beside its texts, and what a JSON value does.
const ENTRY_BYTES: usize = 256;
const VALUE_BYTES: usize = 64;

pub(super) struct Memory {
    limits: MemoryLimits,
    by_question: HashMap<Arc<Question>, Entry>,
    by_age: BTreeMap<Age, Arc<Question>>,
    bytes: usize,
    entries_ever: u64,
}

/// When an entry is forgotten; the number tells apart those of one moment.
type Age = (Instant, u64);

struct Entry {
    answer: Answer,
    age: Age,
    bytes: usize,
}

impl Memory {
    pub(super) fn new(limits: MemoryLimits) -> Self {
        Self { limits, by_question: HashMap::new(), by_age: BTreeMap::new(), bytes: 0, entries_ever: 0 }
    }

    /// What was said, if it still counts.
    pub(super) fn recall(&self, question: &Question, now: Instant) -> Option<Answer> {
        self.by_question.get(question).filter(|entry| now < entry.age.0).map(|entry| entry.answer.clone())
    }

    /// Keeps what was said to a question of `asked_at`, and forgets what is too old or too much.
    pub(super) fn remember(&mut self, question: Question, answer: &Answer, asked_at: Instant, now: Instant) {
        let until = asked_at + self.limits.ttl;
        let bytes = weight(&question, answer);
        if until <= now || bytes > self.limits.bytes_max || self.limits.entries_max == 0 {
            return;
        }
        self.forget(&question);
        let is_full = |memory: &Self| {
            memory.by_question.len() >= memory.limits.entries_max || bytes > memory.limits.bytes_max - memory.bytes
        };
        while let Some((age, oldest)) = self.by_age.first_key_value() {
            if age.0 > now && !is_full(self) {
                break;
            }
            let oldest = Arc::clone(oldest);
            self.forget(&oldest);
        }
        self.entries_ever += 1;
        let (question, age) = (Arc::new(question), (until, self.entries_ever));
        self.by_age.insert(age, Arc::clone(&question));
        self.by_question.insert(question, Entry { answer: answer.clone(), age, bytes });
        self.bytes += bytes;
    }

    fn forget(&mut self, question: &Question) {
        if let Some(entry) = self.by_question.remove(question) {
            self.by_age.remove(&entry.age);
            self.bytes -= entry.bytes;
        }
    }
}

fn weight(question: &Question, answer: &Answer) -> usize {
    let parameters = question.parameters.iter().map(|(name, parameter)| {
        let text = if let Parameter::Text(text) = parameter { text.len() } else { 0 };
        VALUE_BYTES + name.len() + text
    });
    let attributes = match answer {
        Answer::Granted(attributes) => attributes.iter().map(|(name, value)| name.len() + weight_of(value)).sum(),
        Answer::Foreign | Answer::Absent => 0,
    };
    ENTRY_BYTES + question.resource.len() + question.user.len() + parameters.sum::<usize>() + attributes
}

fn weight_of(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight_of).sum(),
            Value::Object(values) => values.iter().map(|(name, value)| name.len() + weight_of(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lychgate_service::ports::rights::Relation;
    use serde_json::Map;

    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn question(number: usize) -> Question {
        Question {
            relation: Relation::Owner,
            resource: format!("entry:{number}"),
            user: "ann".to_owned(),
            parameters: Vec::new(),
        }
    }

    fn granted(text: &str) -> Answer {
        Answer::Granted(Map::from_iter([("content".to_owned(), Value::from(text))]))
    }

    fn memory(entries_max: usize, bytes_max: usize) -> Memory {
        Memory::new(MemoryLimits { ttl: TTL, entries_max, bytes_max })
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut memory = memory(3, usize::MAX);
        let now = Instant::now();
        for number in 0..10 {
            memory.remember(question(number), &Answer::Foreign, now, now);
        }
        let kept: Vec<_> = (0..10).filter(|number| memory.recall(&question(*number), now).is_some()).collect();
        assert_eq!(kept, [7, 8, 9]);
        assert_eq!(memory.by_age.len(), 3);
    }

    #[test]
    fn the_oldest_go_when_they_weigh_too_much() {
        let one = weight(&question(0), &granted("0123456789"));
        let mut memory = memory(1_000, 3 * one);
        let now = Instant::now();
        for number in 0..10 {
            memory.remember(question(number), &granted("0123456789"), now, now);
        }
        assert_eq!((memory.by_question.len(), memory.bytes), (3, 3 * one));
        memory.remember(question(10), &granted(&"x".repeat(3 * one)), now, now);
        assert!(memory.recall(&question(10), now).is_none(), "it would push out everything");
        assert_eq!(memory.by_question.len(), 3);
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_the_older_and_what_is_old_is_let_go() {
        let mut memory = memory(100, usize::MAX);
        let now = Instant::now();
        memory.remember(question(0), &Answer::Foreign, now, now);
        memory.remember(question(0), &granted("a"), now + TTL / 2, now + TTL / 2);
        assert_eq!(memory.recall(&question(0), now + TTL), Some(granted("a")));
        assert_eq!(memory.by_age.len(), 1);
        memory.remember(question(1), &Answer::Absent, now + 2 * TTL, now + 2 * TTL);
        assert_eq!((memory.by_question.len(), memory.by_age.len()), (1, 1));
        assert_eq!(memory.bytes, weight(&question(1), &Answer::Absent));
    }

    #[test]
    fn what_took_longer_than_it_counts_is_not_kept() {
        let mut memory = memory(100, usize::MAX);
        let now = Instant::now();
        memory.remember(question(0), &Answer::Foreign, now, now + TTL);
        assert!(memory.by_question.is_empty());
    }
}
