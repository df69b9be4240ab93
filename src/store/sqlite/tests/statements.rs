//! Statements use indexes: none reads more rows than necessary.

use sqlx::{AssertSqlSafe, Row};

use super::*;
use crate::store::sqlite::script::Statement;

/// The query plan of a statement.
async fn steps(store: &SqliteStore, sql: String) -> Vec<String> {
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(sql).fetch_all(&store.readers).await.unwrap();
    steps.iter().map(|step| step.get("detail")).collect()
}

/// Fails when a step scans a whole table or builds a temporary index.
fn check(sql: &str, steps: &[String]) {
    let tables =
        ["conversation", "message", "user", "member", "device", "entry", "said", "kept", "gone"];
    for step in steps {
        let scans = tables.iter().any(|table| {
            *step == format!("SCAN {table}") || step.starts_with(&format!("SCAN {table} "))
        });
        assert!(!scans && !step.contains("AUTOMATIC"), "{sql}: {step}");
    }
}

#[tokio::test]
async fn no_statement_of_a_commit_reads_a_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let statements = [
        users::FORGET_PREDECESSORS,
        users::FORGET_EXPIRED,
        users::MARK_EXPIRED,
        users::FORGET_USERS,
        users::UPSERT_USERS,
        users::UPSERT_DEVICES,
        users::FORGET_DEVICES,
        commit::FIND_LOGS,
        commit::INSERT_LOGS,
        commit::DROP_EMPTY_LOGS,
        members::FIND_MEMBERS,
        members::UPSERT_MEMBERS,
        members::COUNT_ROOMS,
        members::ADD_MEMBERS,
        members::DROP_MEMBERS,
        members::MOVE_READS,
        members::FIND_MEMBERSHIPS,
        messages::FIND_BY_MESSAGE_ID,
        messages::FIND_TARGETS,
        messages::WRITE_ENTRIES,
        messages::REWRITE,
        messages::MOVE_HEADS,
        trim::FIND_FLOOR,
        trim::DROP_ENTRIES,
        trim::MOVE_FLOORS,
        trim::TRIMMED_LOGS,
        trim::DROP_DEVICES,
        trim::DROP_GUESTS,
        trim::MARK_FORGOTTEN,
        read::LAST_SEEN,
    ];
    for Statement { before, row, after } in statements {
        let steps = steps(&store, format!("{before} (VALUES {row},{row}) {after}")).await;
        check(before, &steps);
    }
}

#[tokio::test]
async fn a_page_uses_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    for sql in [read::OLDEST_AFTER, read::NEWEST_BEFORE, read::MESSAGE] {
        let steps = steps(&store, sql.to_owned()).await;
        check(sql, &steps);
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}

#[tokio::test]
async fn a_trim_uses_an_index_and_sorts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    for Statement { before, row, after } in [trim::FIRST_GUESTS, trim::NEXT_LOGS] {
        let steps = steps(&store, format!("{before} (VALUES {row}) {after}")).await;
        let used = ["user USING INDEX user_guest", "conversation USING INTEGER PRIMARY KEY"];
        assert!(used.iter().any(|used| steps.iter().any(|it| it.contains(used))), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}
