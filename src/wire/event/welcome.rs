//! `welcome`: everything that a client has to know to begin.

use super::{Object, tally};
use crate::{
    chat::event::{DeviceVisit, RoomState, Tally, Welcome},
    domain::{Limits, Token, UserName},
};

pub(super) fn data(object: Object, welcome: &Welcome, limits: &Limits) -> Object {
    let Welcome {
        user,
        name,
        admin,
        token,
        expires_at,
        visit,
        connection,
        node,
        epoch,
        rooms,
        directs,
        inbox,
    } = welcome;
    let object = object
        .add("user", user.as_raw())
        .add_some("name", name.as_deref())
        .add_some("admin", admin.then_some(true))
        .add_some("token", token.as_ref().map(Token::expose))
        .add_time("expiresAt", *expires_at);
    let object = match visit {
        None => object,
        Some(DeviceVisit::First) => object.add("returning", &false),
        Some(DeviceVisit::Returning { last_seen }) => {
            object.add("returning", &true).add_time("lastSeen", *last_seen)
        }
    };
    object
        .add("connection", &connection.to_string())
        .add("node", node.as_raw())
        .add("epoch", epoch.as_raw())
        .add_raw("rooms", &array(rooms.iter().map(|it| room_state(Object::new(), it).end())))
        .add_raw("directs", &array(directs.iter().map(direct)))
        .add_raw("inbox", &tally(Object::new(), inbox).end())
        .add_raw("limits", &bounds(limits))
}

/// A room, as somebody finds it.
pub(in crate::wire) fn room_state(object: Object, state: &RoomState) -> Object {
    let RoomState { room, role, tally: how } = state;
    tally(object.add("room", room.as_raw()).add("role", role.as_raw()), how)
}

fn direct((with, how): &(UserName, Tally)) -> String {
    tally(Object::new().add("with", with.as_raw()), how).end()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn bounds(limits: &Limits) -> String {
    Object::new()
        .add("bodyBytesMax", &limits.body_bytes_max)
        .add("frameBytesMax", &limits.frame_bytes_max)
        .add("attachmentsMax", &limits.attachments_max)
        .add("historyMax", &limits.history_messages_max)
        .add("roomsMax", &limits.rooms_per_user_max)
        .end()
}
