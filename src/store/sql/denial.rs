//! Bans, revoked tokens and ended sign-ins as rows.

use super::{ColumnError, Columns, row};
use crate::{
    chat::ports::DenialSnapshot,
    domain::{BanReason, Denial, DenialSubject, SignInId, Space, TokenId, UserName},
};

/// The key of a subject: the columns `kind, space, name`. `space` is empty where there is none, and
/// of a ban from all spaces.
pub(crate) fn key(subject: &DenialSubject) -> (i64, &str, &str) {
    match subject {
        DenialSubject::User(space, user) => {
            (0, space.as_ref().map_or("", Space::as_raw), user.as_raw())
        }
        DenialSubject::Token(token) => (1, "", token.as_raw()),
        DenialSubject::TokensOf(user) => (2, "", user.as_raw()),
        DenialSubject::SignIn(sign_in) => (3, "", sign_in.as_raw()),
    }
}

/// The columns `at, until, reason`.
pub(crate) fn values(denial: &Denial) -> (i64, Option<i64>, Option<&str>) {
    let Denial { subject: _, at, until, reason } = denial;
    (row::millis(*at), until.map(row::millis), reason.as_ref().map(BanReason::as_raw))
}

/// Adds a row of the columns `number, kind, space, name, at, until, reason` to the list. Without
/// denials there is one row that has the number alone.
pub(crate) fn read_into(list: &mut DenialSnapshot, row: &impl Columns) -> Result<(), ColumnError> {
    list.number = row::count(row.int("number")?)?;
    let Some(kind) = row.maybe_int("kind")? else { return Ok(()) };
    let name = row.text("name")?;
    let subject = match kind {
        0 => {
            let space = Some(row.text("space")?).filter(|it| !it.is_empty());
            DenialSubject::User(space.map(Space::from_raw), UserName::from_raw(name))
        }
        1 => DenialSubject::Token(TokenId::from_raw(name)),
        2 => DenialSubject::TokensOf(UserName::from_raw(name)),
        3 => DenialSubject::SignIn(SignInId::from_raw(name)),
        kind => return Err(ColumnError::new(format!("there is no denial {kind}"))),
    };
    list.denials.push(Denial {
        subject,
        at: row::time(row.int("at")?)?,
        until: row.maybe_int("until")?.map(row::time).transpose()?,
        reason: row.maybe_text("reason")?.map(BanReason::from_raw),
    });
    Ok(())
}
