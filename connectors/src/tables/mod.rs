//! The warehouse connection.
