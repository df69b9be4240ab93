//! The contract of every storage engine: the guarantees of [`Store`], one function each.

macro_rules! check {
    ($open:ident to $($module:ident::{$($guarantee:ident),+ $(,)?})+) => {
        $($($module::$guarantee(&$open().await).await;)+)+
    };
}

mod builders;
mod changes;
mod denials;
mod earlier;
mod erasure;
mod guests;
mod lists;
mod logs;
mod members;
mod model;
mod nodes;
mod outbox;
mod pages;
mod repeats;
mod retention;
mod rights;
mod roles;
mod shared;
mod topics;
mod users;

use bytes::Bytes;
use futures_util::future::join_all;
use time::{Duration, OffsetDateTime};

use crate::{
    chat::ports::{
        Batch, Change, ChangeResult, DEVICES_PER_USER_MAX, DIRECTS_LISTED_MAX, Draft, GuestExpired,
        IdentityKind, JoinRefusal, MemberChange, Outcome, PageLimit, PageRange, PostedMessage,
        Store, TrimLimits, UserDeparted, UserSeen,
    },
    domain::{
        Act, Body, Content, Conversation, DeletedCount, DeviceId, DisplayName, DisplayNames, Entry,
        JoinMode, Log, Member, MessageId, MessageKind, Muted, Place, Position, Retained, Role,
        RoomName, RoomTopic, Seq, Space,
    },
};

pub(crate) use self::{
    builders::*,
    earlier::{EARLIER_ROWS, earlier_rows_are_migrated},
    guests::{RowCounts, guests_contract},
    model::assert_agrees_with_memory,
    nodes::{NAMES_GRACE, nodes_contract},
    outbox::{outbox_contract, shared_outbox_contract},
    retention::{trim, trim_logs},
    shared::shared_contract,
};

/// Tests an engine against its port. Each guarantee gets an empty store.
pub(crate) async fn store_contract<S: Store>(open: impl AsyncFn() -> S + Sync) {
    logs_are_kept(&open).await;
    members_are_kept(&open).await;
    logs_are_listed_and_erased(&open).await;
    denials_are_kept(&open).await;
    store_is_closed(&open().await).await;
}

async fn logs_are_kept<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    check! { open to
        logs::{
            a_place_without_entries_is_empty,
            an_empty_batch_stores_nothing,
            seq_is_dense_and_in_order_within_and_across_batches,
            every_place_has_its_own_seq,
            many_logs_are_one_answer,
            equal_names_in_other_spaces_and_kinds_are_other_places,
            stored_entries_round_trip,
            names_round_trip,
            bodies_of_every_form_round_trip,
            a_time_is_kept_to_the_millisecond,
            many_places_in_a_batch_are_kept_apart,
            a_big_batch_is_stored_whole,
            reads_and_commits_run_concurrently,
            a_probe_stores_nothing,
        }
        repeats::{
            a_repeat_is_always_a_duplicate,
            a_repeat_within_a_batch_is_a_duplicate,
            an_id_belongs_to_its_author_and_place,
            an_id_belongs_to_the_guest_session,
            the_same_id_with_anything_else_is_a_conflict,
            repeats_and_conflicts_take_no_seq,
            a_repeat_of_a_changed_message_is_a_duplicate_with_any_body,
            a_batch_with_a_repeat_is_stored_once,
        }
        rights::{
            drafts_of_non_members_are_rejected,
            drafts_below_the_needed_role_are_rejected,
            changes_of_a_batch_apply_before_its_drafts,
            a_reused_name_inherits_no_role,
            a_repeat_of_a_non_member_is_rejected,
            a_draft_grants_no_role_to_later_drafts_of_the_batch,
            each_author_in_a_batch_is_checked,
        }
        pages::{
            pages_respect_their_bounds,
            a_page_is_bounded_in_bytes_and_attachments,
            a_page_counts_the_bodies_that_edits_show,
        }
        changes::{
            edits_and_deletions_are_entries_and_no_messages,
            an_edit_leaves_one_body_and_its_time,
            a_deletion_leaves_no_body,
            messages_can_be_changed_in_the_batch_that_stores_them,
            only_messages_are_changed,
            a_message_is_found_with_its_author,
            a_deletion_happens_once,
            changes_carry_any_id,
        }
        retention::{
            trim_keeps_the_newest_entries,
            trim_keeps_entries_younger_than_an_age,
            trim_removes_nothing_within_the_limits,
            a_trimmed_log_continues,
            trimmed_messages_are_not_unread,
            a_trim_counts_the_deleted_messages_that_are_left,
            changes_of_trimmed_messages_stay,
            trim_forgets_absent_guests,
            a_long_log_is_cut_in_bounded_parts,
        }
        guests::{
            an_empty_conversation_ends_with_its_last_member,
        }
    }
}

async fn logs_are_listed_and_erased<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    check! { open to
        erasure::{
            an_erased_log_keeps_its_members_and_its_numbers,
            a_place_without_entries_is_not_erased,
            a_long_log_is_erased_in_parts,
        }
        lists::{
            members_are_paged_by_name,
            members_are_listed_with_the_time_of_their_join,
            members_are_listed_with_their_present_display_names,
            rooms_are_paged_by_name,
        }
        topics::{
            a_topic_is_an_entry_and_no_message,
            a_topic_that_the_room_has_is_not_stored_again,
            a_topic_outlives_its_entry,
            members_and_lists_see_the_topic,
            a_role_is_needed_for_a_topic,
            an_erased_room_has_no_topic,
            a_room_that_nobody_uses_has_no_topic,
        }
    }
}

async fn members_are_kept<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    check! { open to
        users::{
            a_seen_user_exists_in_that_space,
            a_registered_name_stays_registered,
            last_seen_is_the_latest_time,
            a_display_name_is_that_of_the_last_visit,
            entries_are_read_with_present_display_names,
            a_device_is_known_with_the_time_it_was_last_seen,
            of_many_devices_the_last_ones_are_kept,
            a_reused_name_inherits_no_membership,
            an_expired_guest_has_no_membership,
            a_departure_does_not_change_the_identity,
        }
        roles::{
            a_new_member_has_read_everything_before_the_batch,
            a_join_does_not_change_an_existing_member,
            the_first_member_may_own_the_room,
            a_room_can_be_founded_only_when_unused,
            a_role_is_given_to_members_and_others,
            changes_of_a_batch_apply_in_order,
            a_leave_ends_the_membership,
            the_room_limit_holds_per_user,
            many_users_join_in_one_batch,
        }
        members::{
            a_read_position_only_moves_forward_and_to_the_head,
            a_read_pointer_counts_messages_and_not_changes,
            deleted_messages_are_not_unread,
            changes_of_a_batch_count_deleted_messages,
            muted_is_kept,
            read_and_mute_do_nothing_for_non_members,
            authors_have_read_their_own_messages,
            a_direct_message_makes_both_members,
            a_notification_makes_its_reader_a_member,
            memberships_are_those_after_the_batch,
            a_notification_is_unread_also_for_its_author,
            the_directs_that_are_listed_are_the_last_ones,
            memberships_are_of_one_user_in_one_space,
        }
    }
}

async fn denials_are_kept<S: Store>(open: &(impl AsyncFn() -> S + Sync)) {
    check! { open to
        denials::{
            denials_of_each_kind_round_trip,
            a_denial_replaces_that_of_its_subject,
            an_allowed_subject_has_no_denial,
            denials_that_are_over_go_with_a_later_change,
            a_denial_is_kept_to_the_millisecond,
        }
    }
}

async fn store_is_closed(store: &dyn Store) {
    commit(store, vec![draft("lobby", "1", "0")]).await;
    assert!(!store.epoch().as_raw().is_empty());
    store.close().await;
}
