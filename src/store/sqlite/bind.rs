//! Binds domain types to the parameters of a statement.

use sqlx::{Arguments as _, error::BoxDynError, sqlite::SqliteArguments};

use crate::{
    domain::{DeviceId, Member, Muted, Place, Position, Space, UserName},
    store::sql::{
        member_plan::{PlaceUser, SpaceUser},
        row,
        write::{DeviceSeen, EntryRow, Head, RewrittenRow},
    },
};

pub(super) fn place(arguments: &mut SqliteArguments, place: &Place) -> Result<(), BoxDynError> {
    let (space, kind, one, other) = row::place_columns(place);
    arguments.add(space)?;
    arguments.add(kind)?;
    arguments.add(one)?;
    arguments.add(other)
}

pub(super) fn user(
    arguments: &mut SqliteArguments,
    (space, user): SpaceUser<'_>,
) -> Result<(), BoxDynError> {
    arguments.add(space.as_raw())?;
    arguments.add(user.as_raw())
}

pub(super) fn position(
    arguments: &mut SqliteArguments,
    position: Position,
) -> Result<(), BoxDynError> {
    arguments.add(row::seq_number(position.seq))?;
    arguments.add(row::number(position.messages))
}

pub(super) fn device(
    arguments: &mut SqliteArguments,
    (user, device, at): &DeviceSeen<'_>,
) -> Result<(), BoxDynError> {
    self::user(arguments, *user)?;
    arguments.add(DeviceId::as_raw(device))?;
    arguments.add(row::millis(*at))
}

pub(super) fn member(
    arguments: &mut SqliteArguments,
    (conversation, (place, user), member): &(i64, PlaceUser<'_>, Member),
) -> Result<(), BoxDynError> {
    let Member { role, joined, read, muted } = member;
    self::user(arguments, (&place.space, user))?;
    arguments.add(*conversation)?;
    arguments.add(row::role_number(*role))?;
    arguments.add(row::seq_number(*joined))?;
    position(arguments, *read)?;
    arguments.add(*muted == Muted::Yes)
}

/// The read position of a member: the conversation, the user and the position.
pub(super) fn read(
    arguments: &mut SqliteArguments,
    row: &((i64, &UserName), (&Space, Position)),
) -> Result<(), BoxDynError> {
    let ((conversation, user), (space, read)) = row;
    self::user(arguments, (space, user))?;
    arguments.add(*conversation)?;
    position(arguments, *read)
}

pub(super) fn entry(
    arguments: &mut SqliteArguments,
    row: &EntryRow<'_>,
) -> Result<(), BoxDynError> {
    arguments.add(row.conversation)?;
    position(arguments, row.position)?;
    arguments.add(row.at)?;
    arguments.add(row.author)?;
    arguments.add(row.stay)?;
    arguments.add(row.id)?;
    arguments.add(row.kind)?;
    arguments.add(row.target)?;
    arguments.add(row.body)?;
    arguments.add(row.attachments.as_deref())
}

pub(super) fn rewritten(
    arguments: &mut SqliteArguments,
    row: &RewrittenRow<'_>,
) -> Result<(), BoxDynError> {
    arguments.add(row.conversation)?;
    arguments.add(row.seq)?;
    arguments.add(row.edited_at)?;
    arguments.add(row.edit)?;
    arguments.add(row.deletion)?;
    arguments.add(row.body)?;
    arguments.add(row.attachments.as_deref())
}

pub(super) fn head(
    arguments: &mut SqliteArguments,
    (conversation, head): &(i64, Head),
) -> Result<(), BoxDynError> {
    arguments.add(*conversation)?;
    position(arguments, head.at)?;
    arguments.add(head.said_at.map(row::millis))
}
