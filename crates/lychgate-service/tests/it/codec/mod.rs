//! Codecs out of settings: templates, rules, and what strangers send.

mod frames;
mod hostile;
mod templates;
