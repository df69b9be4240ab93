//! Domain types as arrays, one per column: the text of a statement is the same for any number of
//! rows. A number that is sent with each item returns in its rows.

use sqlx::{Postgres, postgres::PgArguments, query::Query};

use crate::{
    domain::{Member, Muted, Place},
    store::sql::{
        ColumnError, Columns,
        member_plan::{PlaceUser, SpaceUser},
        row,
    },
};

pub(super) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds `space, name`.
pub(super) fn bind_users<'q>(
    query: PgQuery<'q>,
    users: impl IntoIterator<Item = SpaceUser<'q>>,
) -> PgQuery<'q> {
    let users = users.into_iter().map(|(space, user)| (space.as_raw(), user.as_raw()));
    let (spaces, names): (Vec<_>, Vec<_>) = users.unzip();
    query.bind(spaces).bind(names)
}

/// Binds `space, kind, one, other`.
pub(super) fn bind_places<'q>(
    query: PgQuery<'q>,
    places: impl IntoIterator<Item = &'q Place>,
) -> PgQuery<'q> {
    let (mut spaces, mut kinds, mut ones, mut others) = (vec![], vec![], vec![], vec![]);
    for place in places {
        let (space, kind, one, other) = row::place_columns(place);
        spaces.push(space);
        kinds.push(kind);
        ones.push(one);
        others.push(other);
    }
    query.bind(spaces).bind(kinds).bind(ones).bind(others)
}

/// Binds `space, user, conversation, role, joined, read, read_messages, muted`.
pub(super) fn bind_members<'q>(
    query: PgQuery<'q>,
    members: &[(i64, PlaceUser<'q>, Member)],
) -> PgQuery<'q> {
    let query =
        bind_users(query, members.iter().map(|(_, (place, user), _)| (&place.space, *user)));
    let column = |of: fn(&Member) -> i64| -> Vec<i64> {
        members.iter().map(|(_, _, member)| of(member)).collect()
    };
    let conversations: Vec<_> = members.iter().map(|(conversation, ..)| *conversation).collect();
    let muted: Vec<_> = members.iter().map(|(.., member)| member.muted == Muted::Yes).collect();
    query
        .bind(conversations)
        .bind(column(|it| row::role_number(it.role)))
        .bind(column(|it| row::seq_number(it.joined)))
        .bind(column(|it| row::seq_number(it.read.seq)))
        .bind(column(|it| row::number(it.read.messages)))
        .bind(muted)
}

/// Each item with its number.
pub(super) fn numbered<T>(all: &[T]) -> Vec<(i64, &T)> {
    (0..).zip(all).collect()
}

/// Reads the column `number`.
pub(super) fn number(row: &impl Columns) -> Result<usize, ColumnError> {
    usize::try_from(row.int("number")?).map_err(ColumnError::new)
}
