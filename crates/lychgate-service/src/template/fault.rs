//! What is wrong with a template, at start and while it is rendered.

/// Why a template cannot work. Found at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}; {remedy}")]
pub struct TemplateFault {
    /// The keys that lead to the value within the template, with dots; empty for the whole template.
    pub at: String,
    /// What is wrong, as a sentence without its full stop.
    pub wrong: String,
    /// What to do, as a sentence without its full stop.
    pub remedy: String,
}

impl TemplateFault {
    pub(super) fn new(wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at: String::new(), wrong: wrong.into(), remedy: remedy.into() }
    }
}

/// Why a template wrote nothing.
///
/// None repeats what a client sent: an expression is quoted as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderFault {
    /// The expression has no value, and stands within a text.
    #[error("{{{expression}}} has no value to be part of a text")]
    NoValue {
        /// As configured.
        expression: String,
    },
    /// The expression is a list or an object, and stands within a text.
    #[error("{{{expression}}} is a list or an object and cannot be part of a text")]
    NotText {
        /// As configured.
        expression: String,
    },
    /// The expression is an infinity or not a number, which JSON cannot say.
    #[error("{{{expression}}} is no finite number")]
    NotFinite {
        /// As configured.
        expression: String,
    },
    /// The expression fails on these values, such as `int` on a word.
    #[error("{{{expression}}} cannot be worked out here")]
    Failed {
        /// As configured.
        expression: String,
    },
    /// The result is longer than its limit.
    #[error("the result is longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}
