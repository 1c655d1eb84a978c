//! Why the application's database cannot be asked, and what to do about it.

/// Why the application's database cannot be asked.
///
/// Its text ends with what to do; a program prints it and stops. It never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no database that can be asked. The URL is not repeated, since it may hold a password anywhere.
    #[error(
        "the URL of the application's database cannot be used: {0}. Write sqlite:path or postgres://user@host/database"
    )]
    Url(String),
    /// The query is not one that can be run.
    #[error("the query cannot be used: {0}")]
    Query(String),
    /// The database cannot be reached, or did not let us in.
    #[error("the application's database {place} cannot be opened: {what}")]
    Unreachable {
        /// Which one, without a password.
        place: String,
        /// What happened.
        what: String,
    },
    /// The database read the query and refused it.
    #[error("the application's database {place} refuses the query: {message}")]
    Refused {
        /// Which one, without a password.
        place: String,
        /// The database's own words.
        message: String,
    },
}

impl OpenError {
    /// Sorts what came of connecting or preparing: the database's words about the query, or no way to it.
    pub(super) fn of(place: &str, error: &sqlx::Error, is_about_query: bool) -> Self {
        let place = place.to_owned();
        // The library's texts speak of what happened; none of them repeats a URL.
        match error.as_database_error() {
            Some(error) if is_about_query => Self::Refused { place, message: error.message().to_owned() },
            Some(error) => Self::Unreachable { place, what: error.message().to_owned() },
            None => Self::Unreachable { place, what: error.to_string() },
        }
    }

    pub(super) fn too_slow(place: &str) -> Self {
        Self::Unreachable { place: place.to_owned(), what: "it did not answer in time".to_owned() }
    }
}
