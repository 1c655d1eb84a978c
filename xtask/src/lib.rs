//! The project's chores as a library, so that tests reach them without a process.

pub mod tidy;
