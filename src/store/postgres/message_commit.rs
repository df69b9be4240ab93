//! The commit of new messages in one statement.
//!
//! Most batches of a busy chat are new messages and nothing else. The transaction of `commit.rs`
//! takes five round trips for such a batch, because sqlx sends no statement before the answer to the
//! last one. The function `commit_messages` of the database (migration 11) takes one. With the
//! database on the same machine, a commit of 1 to 64 messages in rooms then takes 0.73 to 0.81 of
//! the time, and one of direct messages 0.57 to 0.68; with a round trip of about 1 ms, one in rooms
//! takes 0.24 to 0.40 of it.
//!
//! The batch is planned before the locks, under assumptions: its logs are empty, no message is
//! stored already, each author has the needed role, and users of direct conversations and inboxes
//! are members. The function locks the conversations, checks the assumptions but the first, and adds
//! the heads of the logs to the planned positions. If an assumption does not hold, it writes
//! nothing, and the transaction stores the batch. A statement without a function cannot do this: it
//! would check the roles as they were before it waited for the locks.

use std::collections::{BTreeMap, HashMap};

use sqlx::{
    Row as _,
    postgres::{PgConnection, PgRow},
};

use super::{
    arrays::{PgQuery, bind_places, bind_users},
    messages::{bind_entries, bind_heads, bind_reads},
};
use crate::{
    chat::ports::{Batch, Draft, DraftAct, Outcome},
    domain::{Log, Place, Position, Role, Space, UserName},
    store::sql::{
        ColumnError, StoredLog, StoredLogs, Topics, conversation_id,
        draft_plan::{DraftContext, DraftPlan, plan_drafts},
        row, unique,
        write::{LogWrites, MemberUpdates, participants, users_of_entries},
    },
};

const COMMIT_MESSAGES: &str = "SELECT heads, counts FROM commit_messages($1, $2, $3, $4, $5, $6, \
    $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
    $26, $27, $28, $29, $30, $31)";

/// A batch of new messages, planned as if its logs were empty.
#[derive(Debug)]
pub(super) struct NewMessages<'a> {
    places: Vec<&'a Place>,
    /// The number of each place, from 1, in place of the conversation's id.
    numbers: StoredLogs<'a>,
    plan: DraftPlan<'a>,
}

/// The lowest role that a user needs in a conversation, by the number of its place.
type NeededRoles<'a> = BTreeMap<(i64, &'a UserName), (&'a Space, Role)>;

impl<'a> NewMessages<'a> {
    /// Plans a batch of new messages. `None` if the batch has other parts, repeats a message, or
    /// records messages for webhooks.
    pub(super) fn of(batch: &'a Batch) -> Option<Self> {
        let Batch { seen, departed, expired, changes, drafts, membership_queries, .. } = batch;
        let has_other_parts = !seen.is_empty()
            || !departed.is_empty()
            || !expired.is_empty()
            || !changes.is_empty()
            || !membership_queries.is_empty()
            || batch.records_messages();
        let is_new = |draft: &Draft| matches!(draft.act, DraftAct::Say { .. });
        if has_other_parts || !drafts.iter().all(is_new) {
            return None;
        }
        let permitted = |draft: &Draft| DraftContext { role: draft.needs, message: None };
        let known = drafts.iter().map(permitted).enumerate().collect();
        let plan = plan_drafts(drafts, HashMap::new(), Topics::new(), &HashMap::new(), known);
        let places = unique(drafts.iter().map(|draft| &draft.place));
        let log = |id| StoredLog { id, state: Log::default() };
        let numbers = places.iter().copied().zip((1..).map(log)).collect();
        (plan.stored.len() == drafts.len()).then_some(Self { places, numbers, plan })
    }

    /// Commits the messages. Returns `None`, and has written nothing, if an assumption of the plan
    /// does not hold.
    pub(super) async fn commit(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Vec<Outcome>>, sqlx::Error> {
        let LogWrites { entries, rewritten: _, heads, topics: _ } =
            LogWrites::of(&self.plan, &self.numbers)?;
        let member_updates = MemberUpdates::of(&self.plan.stored, &self.numbers)?;
        let needed_roles = self.needed_roles()?;
        let query = bind_places(sqlx::query(COMMIT_MESSAGES), self.places.iter().copied());
        let query = bind_reads(bind_entries(query, &entries)?, &member_updates);
        let query = bind_needed_roles(bind_heads(query, &heads), &needed_roles);
        let query = bind_users(query, users_of_entries(&self.plan));
        // The server commits after the row: this returns after the end of the transaction.
        let row = query.fetch_one(connection).await?;
        self.parse_outcomes(&row)
    }

    /// The roles of authors, and of the users that an entry makes members: they have to be members
    /// already.
    fn needed_roles(&self) -> Result<NeededRoles<'a>, ColumnError> {
        let mut needed_roles = NeededRoles::new();
        for (draft, _) in &self.plan.stored {
            let number = conversation_id(&self.numbers, &draft.place)?;
            let author = draft.needs.map(|role| (&draft.author, role));
            let members = participants(&draft.place).map(|user| (user, Role::Reader));
            for (user, role) in members.chain(author) {
                let needed =
                    needed_roles.entry((number, user)).or_insert((&draft.place.space, role));
                needed.1 = needed.1.max(role);
            }
        }
        Ok(needed_roles)
    }

    /// The outcomes, from the positions before the commit.
    fn parse_outcomes(&self, row: &PgRow) -> Result<Option<Vec<Outcome>>, sqlx::Error> {
        let Some(heads) = row.try_get::<Option<Vec<i64>>, _>("heads")? else { return Ok(None) };
        let counts: Vec<i64> = row.try_get("counts")?;
        let mut before = HashMap::with_capacity(heads.len());
        for (place, (seq, messages)) in self.places.iter().zip(heads.into_iter().zip(counts)) {
            before.insert(*place, row::position(seq, messages)?);
        }
        let outcome = |(draft, position): &(&Draft, Position)| {
            let before = before.get(&draft.place).ok_or(sqlx::Error::RowNotFound)?;
            Ok(Outcome::Stored(position_after(*before, *position)))
        };
        self.plan.stored.iter().map(outcome).collect::<Result<_, _>>().map(Some)
    }
}

/// The position that follows `before` as `position` follows the beginning of a log.
fn position_after(before: Position, position: Position) -> Position {
    let seq = before.seq.as_raw() + position.seq.as_raw();
    Position::from_raw(seq, before.messages + position.messages)
}

fn bind_needed_roles<'q>(query: PgQuery<'q>, needed_roles: &NeededRoles<'q>) -> PgQuery<'q> {
    let users = needed_roles.iter().map(|((_, user), (space, _))| (*space, *user));
    bind_users(query, users)
        .bind(needed_roles.keys().map(|(number, _)| *number).collect::<Vec<_>>())
        .bind(needed_roles.values().map(|(_, role)| row::role_number(*role)).collect::<Vec<_>>())
}
