//! What every engine that keeps must do: the guarantees of [`Store`], one function each.

mod agreement;
mod changes;
mod logs;
mod members;
mod nodes;
mod pages;
mod repeats;
mod retention;
mod rights;
mod roles;
mod shared;
mod users;
mod words;

use bytes::Bytes;
use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{
        Batch, Change, DEVICES_PER_USER_MAX, DIRECTS_LISTED_MAX, Draft, Gone, MemberChange,
        Outcome, PageLimit, Range, Refusal, Retention, Seen, Store, Voucher, Went,
    },
    domain::{
        Act, Body, Content, Conversation, DeviceId, Entry, Joining, Kind, Log, Member, Muted,
        Place, Position, Role, RoomName, Seq, Space,
    },
};

pub(crate) use self::{
    agreement::any_steps_have_the_same_outcomes_as_in_memory, nodes::nodes_contract,
    retention::trim, shared::shared_contract, words::*,
};

/// Holds an engine to its port. Each guarantee gets a store in which nothing was ever said.
pub(crate) async fn store_contract<S: Store>(open: impl AsyncFn() -> S + Sync) {
    logs_are_kept(&open).await;
    members_are_kept(&open).await;
    store_is_closed(&open().await).await;
}

macro_rules! hold {
    ($open:ident to $($module:ident::{$($guarantee:ident),+ $(,)?})+) => {
        $($($module::$guarantee(&$open().await).await;)+)+
    };
}

async fn logs_are_kept<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    hold! { open to
        logs::{
            a_place_where_nothing_was_said_is_empty,
            an_empty_batch_stores_nothing,
            seq_is_dense_and_in_order_within_and_across_batches,
            every_place_has_its_own_seq,
            many_logs_are_one_answer,
            equal_names_in_other_spaces_and_kinds_are_other_places,
            what_is_stored_comes_back_as_it_was,
            bodies_of_every_form_come_back_as_they_were,
            a_time_is_kept_to_the_millisecond,
            many_places_in_a_batch_are_kept_apart,
            a_big_batch_is_stored_whole,
            reads_and_commits_may_come_at_the_same_time,
        }
        repeats::{
            a_repeat_is_a_duplicate_for_ever,
            a_repeat_within_a_batch_is_a_duplicate,
            an_id_belongs_to_its_author_and_place,
            the_same_id_with_anything_else_is_a_conflict,
            repeats_and_conflicts_take_no_seq,
            what_was_changed_is_a_duplicate_whatever_its_body,
        }
        rights::{
            who_is_no_member_says_nothing,
            a_lower_role_than_is_needed_is_not_enough,
            changes_of_a_batch_go_before_what_is_said_in_it,
            whoever_has_the_name_next_has_no_right_from_it,
            a_repeat_by_who_is_no_member_is_refused,
            what_is_said_makes_nobody_fit_in_the_same_batch,
            of_many_authors_each_is_asked_for_what_they_are,
        }
        pages::{
            pages_end_where_they_should,
            a_page_is_bounded_in_bytes_and_attachments,
            a_page_counts_the_bodies_that_edits_show,
        }
        changes::{
            edits_and_deletions_are_entries_and_no_messages,
            an_edit_leaves_one_body_and_says_when,
            a_deletion_leaves_no_body,
            messages_are_changed_in_the_batch_that_says_them,
            what_is_no_message_is_not_changed,
            a_deletion_happens_once,
            changes_carry_any_id,
        }
        retention::{
            what_is_kept_is_the_newest_so_many,
            what_is_kept_is_younger_than_an_age,
            nothing_goes_that_is_to_be_kept,
            a_log_goes_on_where_it_was_cut,
            what_is_not_kept_is_not_unread,
            what_changed_a_message_that_is_gone_stays,
            guests_who_stay_away_are_forgotten,
            a_long_log_is_cut_in_bounded_parts,
        }
    }
}

async fn members_are_kept<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    hold! { open to
        users::{
            a_user_who_came_is_known_in_that_space,
            a_name_that_was_vouched_for_stays_so,
            a_user_was_seen_when_they_were_seen_last,
            a_device_is_known_with_the_time_it_was_last_seen,
            of_many_devices_the_last_ones_are_kept,
            whoever_has_a_name_next_is_a_member_of_nothing,
            a_guest_who_is_gone_is_a_member_of_nothing,
            whoever_went_is_who_they_were,
        }
        roles::{
            a_new_member_has_read_everything_before_the_batch,
            who_is_a_member_already_stays_what_they_are,
            the_first_to_come_may_own_the_room,
            a_room_is_founded_where_nothing_ever_was,
            a_role_is_given_to_members_and_others,
            changes_of_a_batch_come_one_after_the_other,
            whoever_leaves_is_a_member_no_more,
            nobody_is_a_member_of_more_rooms_than_they_may,
            many_come_at_once,
        }
        members::{
            a_read_pointer_only_goes_forward_and_to_the_head,
            a_read_pointer_counts_messages_and_not_changes,
            the_muted_stay_so,
            nothing_changes_for_who_is_no_member,
            whoever_speaks_has_read_it,
            a_direct_message_makes_both_members,
            a_notification_makes_its_reader_a_member,
            memberships_are_those_after_the_batch,
            the_directs_that_are_listed_are_the_last_ones,
            memberships_are_of_one_user_in_one_space,
        }
    }
}

async fn store_is_closed(store: &dyn Store) {
    commit(store, vec![draft("lobby", "1", "0")]).await;
    assert!(!store.epoch().as_raw().is_empty());
    store.close().await;
}
