//! Statements use indexes: none reads more rows than necessary.

use super::*;

/// The query plan of a statement.
fn steps(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// Fails when a step scans a whole table or builds a temporary index.
fn check(sql: &str, steps: &[String]) {
    let tables = [
        "conversation",
        "message",
        "user",
        "member",
        "device",
        "entry",
        "said",
        "kept",
        "gone",
        "denial",
        "webhook_event",
        "webhook_presence",
    ];
    for step in steps {
        let scans = tables.iter().any(|table| {
            *step == format!("SCAN {table}") || step.starts_with(&format!("SCAN {table} "))
        });
        assert!(!scans && !step.contains("AUTOMATIC"), "{sql}: {step}");
    }
}

/// A connection to a new database.
async fn connect(directory: &TempDir) -> Connection {
    open(directory).await.close().await;
    open_other_connection(directory)
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let statements = [
        users::FIND_PREDECESSOR,
        users::FORGET_EXPIRED,
        users::IS_GUEST,
        users::FIND_ROOMS,
        users::MARK_EXPIRED,
        users::FORGET_USER,
        users::UPSERT_USER,
        users::UPSERT_DEVICE,
        users::UPDATE_USER_SEEN,
        users::UPSERT_DEVICE_OF_KNOWN_USER,
        users::FORGET_DEVICES,
        commit::FIND_LOG,
        commit::INSERT_LOG,
        members::FIND_MEMBER,
        members::UPSERT_MEMBER,
        members::COUNT_ROOMS,
        members::ADD_MEMBER,
        members::DROP_MEMBER,
        members::MOVE_READ,
        members::FIND_MEMBERSHIPS,
        messages::FIND_ROLE,
        messages::FIND_BY_MESSAGE_ID,
        messages::FIND_TARGET,
        messages::WRITE_ENTRY,
        messages::REWRITE,
        messages::MOVE_HEAD,
        messages::SET_TOPIC,
        intake::APPEND,
        intake::MOVE_HEADS,
        intake::MOVE_READS,
        recorded_events::INSERT_EVENT,
        outbox::IS_PRESENT,
        outbox::UPSERT_PRESENCE,
        outbox::DELETE_PRESENCE,
        outbox::COUNT_PRESENCE,
        outbox::FIND_WAITING,
        outbox::FIND_DEAD,
        outbox::ASSIGN_BATCH,
        outbox::DELETE_EVENT,
        outbox::COUNT_FAILURE,
        outbox::RESEND,
        outbox::REMOVE_BEFORE,
        trim::FIND_FLOOR,
        trim::FIND_POSITION,
        trim::DROP_ENTRIES,
        trim::MOVE_FLOOR,
        trim::TRIMMED_LOG,
        trim::DROP_DEVICES,
        trim::DROP_GUEST,
        trim::MARK_FORGOTTEN,
        denials::DROP_OVER,
        denials::UPSERT,
        denials::DROP,
        read::MEMBER,
        read::TOPIC,
        read::USER_EXISTS,
        read::IS_REGISTERED,
        read::LAST_SEEN,
        read::DISPLAY_NAME,
        read::DEVICE_SEEN,
        lists::MEMBERS,
    ];
    for sql in statements {
        check(sql, &steps(&connection, sql));
    }
}

#[tokio::test]
async fn a_page_uses_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    for sql in [read::OLDEST_AFTER, read::NEWEST_BEFORE, read::MESSAGE] {
        let steps = steps(&connection, sql);
        check(sql, &steps);
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}

/// The index of message ids serves the search for a repetition with all its columns.
#[tokio::test]
async fn a_repetition_is_found_by_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let steps = steps(&connection, messages::FIND_BY_MESSAGE_ID);
    let used = "message_once (id=? AND conversation=? AND author=? AND stay=?)";
    assert!(steps.iter().any(|it| it.contains(used)), "{steps:?}");
}

/// These read a part of a table in the order of an index.
#[tokio::test]
async fn a_trim_uses_an_index_and_sorts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let statements = [
        (trim::FIRST_GUESTS, "user USING INDEX user_guest"),
        (trim::NEXT_LOGS, "conversation USING INTEGER PRIMARY KEY"),
        (commit::DROP_EMPTY_LOGS, "conversation USING COVERING INDEX conversation_empty"),
    ];
    for (sql, used) in statements {
        let steps = steps(&connection, sql);
        assert!(steps.iter().any(|it| it.contains(used)), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}

/// A page of a list is read in the order of an index, however long the list is.
#[tokio::test]
async fn lists_are_read_in_the_order_of_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let statements = [
        (lists::MEMBERS, "member USING INDEX member_by_conversation (conversation=? AND user>?)"),
        (
            lists::ROOMS,
            "conversation USING INDEX sqlite_autoindex_conversation_1 (space=? AND kind=? AND one>?)",
        ),
    ];
    for (sql, used) in statements {
        let steps = steps(&connection, sql);
        assert!(steps.iter().any(|it| it.contains(used)), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("FOR ORDER BY")), "{steps:?}");
    }
}

/// A start reads the names of all registered users.
#[tokio::test]
async fn registered_names_are_read_from_their_index_alone() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let steps = steps(&connection, registered::REGISTERED_NAMES);
    assert_eq!(steps, ["SCAN user USING COVERING INDEX user_vouched_key"]);
}
