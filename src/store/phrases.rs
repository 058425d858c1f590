//! Phrases that many queries say. Macros, because their types differ per backend and per query.

/// Narrows a boxed query to the spaces of a scope. SQLite has no other wall; on PostgreSQL this is the first of two.
macro_rules! within {
    ($query:expr, $scope:expr, $space:expr) => {
        match $scope {
            Scope::Whole => $query,
            Scope::Spaces(spaces) => $query.filter($space.eq_any(spaces)),
        }
    };
}

/// What an upsert overwrites: these columns, with what was to be inserted.
macro_rules! overwrite {
    ($table:ident: $($column:ident),+ $(,)?) => {
        ($($table::$column.eq(diesel::upsert::excluded($table::$column)),)+)
    };
}
