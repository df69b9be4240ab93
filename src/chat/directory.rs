//! What users and back ends find: the members of a room and the rooms of a space, by the words of
//! their names, and rooms also by those of their topics.
//!
//! The store lists names in their order, and this module selects among them: case and words of all
//! scripts are not what a database compares. One request reads a bounded number of rows; a page that
//! ends there says where the next one begins, also if it found nothing.

use super::{
    Chat, ListPage, ListRange, ListedMember, ListedRoom, MemberPage, RoomMember,
    fault::unavailable,
    ports::{Fault, MemberRow, RoomRow},
};
use crate::domain::{
    DeviceSet, DisplayNames, NameQuery, Place, Rejection, RoomName, Space, UserName,
};

/// The most rows that one request reads.
const ROWS_MAX: usize = 10_000;
/// The most rows that are read together.
const BATCH_ROWS_MAX: usize = 1000;

/// Rows that match, and where the next page begins.
pub(super) struct FoundRows<R, C> {
    pub(super) rows: Vec<R>,
    pub(super) next: Option<C>,
}

/// Members of a room, with their devices on all nodes.
struct FoundMembers {
    found: FoundRows<(MemberRow, DeviceSet), UserName>,
    /// Number of members in all, also of those whose names do not match.
    total: u64,
}

impl Chat {
    /// The members of a room whose names match, online or not, as members see them.
    pub(super) async fn member_page(
        &self,
        place: &Place,
        room: RoomName,
        query: Option<&NameQuery>,
        range: ListRange<UserName>,
    ) -> Result<MemberPage, Rejection> {
        let FoundMembers { found, total } = self.find_members(place, query, range).await?;
        let FoundRows { rows, next } = found;
        let users: Vec<_> = rows.iter().map(|(row, _)| row.user.clone()).collect();
        let last_seen = self.store.last_seen(&place.space, &users).await;
        let last_seen = last_seen.map_err(|fault| unavailable(&fault))?;
        let member = |((row, devices), last_seen): ((MemberRow, DeviceSet), _)| {
            let MemberRow { user, role, joined_at: _, name } = row;
            RoomMember { user, name, role, online: !devices.is_empty(), last_seen }
        };
        let members = rows.into_iter().zip(last_seen).map(member).collect();
        Ok(MemberPage { room, members, total, next })
    }

    /// The same for the API.
    pub(super) async fn list_members(
        &self,
        place: &Place,
        query: Option<&NameQuery>,
        range: ListRange<UserName>,
    ) -> Result<ListPage<ListedMember>, Rejection> {
        let FoundMembers { found, total } = self.find_members(place, query, range).await?;
        let mut names = DisplayNames::new();
        let listed = |(member, devices): (_, DeviceSet)| {
            let MemberRow { user, role, joined_at, name } = member;
            names.extend(name.map(|name| (user.clone(), name)));
            ListedMember { user, role, joined_at, devices: devices.count() }
        };
        let items = found.rows.into_iter().map(listed).collect();
        Ok(ListPage { items, names, total: Some(total), next: found.next })
    }

    /// The members of a room whose names match, online or not.
    async fn find_members(
        &self,
        place: &Place,
        query: Option<&NameQuery>,
        range: ListRange<UserName>,
    ) -> Result<FoundMembers, Rejection> {
        let total = self.existing_log(place).await?.members;
        let read = move |after: Option<UserName>, count| async move {
            self.store.members(place, after.as_ref(), count).await
        };
        let matches = |row: &MemberRow| {
            let is_either = |it: &NameQuery| {
                it.matches(row.user.as_raw())
                    || row.name.as_ref().is_some_and(|name| it.matches(name.as_raw()))
            };
            query.is_none_or(is_either)
        };
        let found = find(range, read, |row| row.user.clone(), |_| true, matches).await;
        let FoundRows { rows, next } = found.map_err(|fault| unavailable(&fault))?;
        let users: Vec<_> = rows.iter().map(|row| row.user.clone()).collect();
        let devices = self.devices(&place.space, &users).await?;
        let rows = rows.into_iter().zip(devices).collect();
        Ok(FoundMembers { found: FoundRows { rows, next }, total })
    }

    /// The rooms of a space that have members or entries, and whose names or topics match.
    pub(super) async fn list_rooms(
        &self,
        space: &Space,
        query: Option<&NameQuery>,
        range: ListRange<RoomName>,
    ) -> Result<ListPage<ListedRoom, RoomName>, Rejection> {
        let FoundRows { rows, next } = self.find_rooms(space, query, range, |_| true).await?;
        Ok(ListPage { items: rows, names: DisplayNames::new(), total: None, next })
    }

    /// The rooms of a space that `is_listed` and whose names or topics match.
    pub(super) async fn find_rooms(
        &self,
        space: &Space,
        query: Option<&NameQuery>,
        range: ListRange<RoomName>,
        is_listed: impl Fn(&RoomName) -> bool + Send + Sync,
    ) -> Result<FoundRows<ListedRoom, RoomName>, Rejection> {
        let read = move |after: Option<RoomName>, count| async move {
            self.store.rooms(space, after.as_ref(), count).await
        };
        let matches = |row: &RoomRow| {
            let is_either = |it: &NameQuery| {
                it.matches(row.room.as_raw())
                    || row.topic.as_ref().is_some_and(|topic| it.matches(topic.as_raw()))
            };
            query.is_none_or(is_either)
        };
        let is_visible = |row: &RoomRow| is_listed(&row.room);
        let found = find(range, read, |row| row.room.clone(), is_visible, matches).await;
        let FoundRows { rows, next } = found.map_err(|fault| unavailable(&fault))?;
        Ok(FoundRows { rows: self.count_online(space, rows).await, next })
    }
}

/// Reads rows after `range.after` until as many match as are asked for, or [`ROWS_MAX`] are read.
///
/// Where the next page begins is told by a row that `is_visible` to the caller, so it goes on to the
/// next one of these.
async fn find<R, C: Clone, F: Future<Output = Result<Vec<R>, Fault>>>(
    range: ListRange<C>,
    read: impl Fn(Option<C>, usize) -> F,
    cursor_of: impl Fn(&R) -> C,
    is_visible: impl Fn(&R) -> bool,
    matches: impl Fn(&R) -> bool,
) -> Result<FoundRows<R, C>, Fault> {
    let ListRange { mut after, limit } = range;
    let (mut rows, mut next) = (Vec::new(), None);
    let (mut rows_left, mut count) = (ROWS_MAX, limit + 1);
    loop {
        let batch = read(after, count).await?;
        let is_last = batch.len() < count;
        after = batch.last().map(&cursor_of);
        for row in batch {
            if rows.len() == limit || (rows_left == 0 && next.is_some()) {
                return Ok(FoundRows { rows, next });
            }
            rows_left = rows_left.saturating_sub(1);
            if is_visible(&row) {
                next = Some(cursor_of(&row));
                if matches(&row) {
                    rows.push(row);
                }
            }
        }
        if is_last {
            return Ok(FoundRows { rows, next: None });
        }
        count = (2 * count).min(BATCH_ROWS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    /// Finds numbers below 25,000 of which the visible ones divide by one number, and those that match
    /// by another. Returns them, the next cursor and the sizes of the batches.
    async fn search(
        (after, limit): (Option<u32>, usize),
        visible: u32,
        divisor: u32,
    ) -> (Vec<u32>, Option<u32>, Vec<usize>) {
        let batches = Mutex::new(Vec::new());
        let read = |after: Option<u32>, count: usize| {
            batches.lock().push(count);
            let rows = (0..25_000).filter(move |it| after.is_none_or(|after| *it > after));
            std::future::ready(Ok(rows.take(count).collect::<Vec<u32>>()))
        };
        let [is_visible, matches] =
            [visible, divisor].map(|by| move |it: &u32| it.is_multiple_of(by));
        let range = ListRange { after, limit };
        let found = find(range, read, |it| *it, is_visible, matches).await;
        let FoundRows { rows, next } = found.unwrap();
        (rows, next, batches.into_inner())
    }

    #[tokio::test]
    async fn a_page_without_a_selection_needs_one_batch() {
        let (rows, next, batches) = search((Some(9), 3), 1, 1).await;
        assert_eq!((rows, next, batches), (vec![10, 11, 12], Some(12), vec![4]));
        let (rows, next, _) = search((Some(24_996), 3), 1, 1).await;
        assert_eq!((rows, next), (vec![24_997, 24_998, 24_999], None));
    }

    #[tokio::test]
    async fn all_pages_together_have_every_match_once() {
        let (mut cursor, mut all, mut pages) = (None, Vec::new(), 0);
        loop {
            let (rows, next, batches) = search((cursor, 2), 10, 7_000).await;
            assert!(batches.iter().all(|it| *it <= BATCH_ROWS_MAX));
            assert!(batches.iter().sum::<usize>() <= ROWS_MAX + 2 * BATCH_ROWS_MAX, "{batches:?}");
            all.extend(rows);
            pages += 1;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((all, pages), (vec![0, 7_000, 14_000, 21_000], 3));
    }

    #[tokio::test]
    async fn a_cursor_is_a_visible_row() {
        let (rows, next, _) = search((None, 1), 10, 10).await;
        assert_eq!((rows, next), (vec![0], Some(0)));
        let (rows, next, _) = search((Some(0), 9), 11_000, 22_000).await;
        assert_eq!((rows, next), (vec![], Some(11_000)), "none of 10,000 rows is visible");
    }
}
