//! The tables of an export, the same for every engine.
//!
//! What a table has here is what outlives a restart. Who is online, and on which node, is not in it.
//! `exported_columns_are_those_of_the_databases` compares it with the engines.

/// The version of the tables below. A change of any of them, also of a meaning, raises it.
pub(crate) const EXPORT_SCHEMA: u64 = 1;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Int,
    Text,
    Flag,
    /// In base64.
    Bytes,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: ColumnKind,
    pub(crate) may_be_null: bool,
}

/// Rows are exported in the order of `key`, so that equal databases have equal exports.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [Column],
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Flag(bool),
    Bytes(Vec<u8>),
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Int, may_be_null: false }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Text, may_be_null: false }
}

const fn flag(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Flag, may_be_null: false }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: ColumnKind::Bytes, may_be_null: false }
}

const fn maybe(column: Column) -> Column {
    Column { may_be_null: true, ..column }
}

/// The position of `meta` in [`TABLES`].
pub(crate) const META: usize = 0;

/// The tables in the order of an export. Members come before conversations, because a trigger of
/// SQLite would count them again, and messages after the conversations that they refer to.
pub(crate) const TABLES: [Table; 9] = [
    // One row. `last_webhook_event` is no column of the databases: no id of an event is used twice, so
    // the last one is kept, although its event may not be.
    Table {
        name: "meta",
        key: &["epoch"],
        columns: &[text("epoch"), int("key_rule"), int("denials"), int("last_webhook_event")],
    },
    Table {
        name: "member",
        key: &["space", "user", "conversation"],
        columns: &[
            text("space"),
            text("user"),
            int("conversation"),
            int("role"),
            int("joined"),
            int("read"),
            int("read_messages"),
            flag("muted"),
            maybe(int("joined_at")),
        ],
    },
    Table {
        name: "conversation",
        key: &["id"],
        columns: &[
            int("id"),
            text("space"),
            int("kind"),
            text("one"),
            text("other"),
            int("head"),
            int("messages"),
            int("floor"),
            int("floor_messages"),
            int("members"),
            int("said_at"),
            int("deleted"),
            maybe(text("topic")),
        ],
    },
    Table {
        name: "message",
        key: &["conversation", "seq"],
        columns: &[
            int("conversation"),
            int("seq"),
            int("messages"),
            int("at"),
            int("kind"),
            maybe(int("target")),
            maybe(int("edited_at")),
            maybe(int("edit")),
            maybe(int("deletion")),
            text("author"),
            text("stay"),
            text("id"),
            maybe(text("body")),
            maybe(bytes("attachments")),
            maybe(text("event")),
        ],
    },
    Table {
        name: "user",
        key: &["space", "name"],
        columns: &[
            text("space"),
            text("name"),
            flag("vouched"),
            text("key"),
            maybe(text("stay")),
            maybe(int("seen")),
            flag("kept"),
            maybe(text("display_name")),
        ],
    },
    Table {
        name: "device",
        key: &["space", "user", "id"],
        columns: &[text("space"), text("user"), text("id"), int("seen")],
    },
    Table {
        name: "denial",
        key: &["kind", "space", "name"],
        columns: &[
            int("kind"),
            text("space"),
            text("name"),
            int("at"),
            maybe(int("until")),
            maybe(text("reason")),
        ],
    },
    Table {
        name: "webhook_presence",
        key: &["space", "kind", "name", "node"],
        columns: &[text("space"), int("kind"), text("name"), text("node"), text("client")],
    },
    Table {
        name: "webhook_event",
        key: &["id"],
        columns: &[
            int("id"),
            text("webhook"),
            text("subject"),
            text("space"),
            text("type"),
            text("fields"),
            int("at"),
            maybe(text("batch")),
            int("attempts"),
            maybe(text("failure")),
            maybe(int("dead_at")),
        ],
    },
];

/// Tables and columns that an export leaves out, and why.
#[cfg(test)]
pub(crate) const NOT_EXPORTED: [(&str, &str); 13] = [
    ("_sqlx_migrations", "the import makes its own schema"),
    ("intake", "its rows are exported as messages"),
    ("sqlite_sequence", "meta.last_webhook_event"),
    ("meta.one", "there is one row"),
    ("user.online_since", "who is online"),
    ("user.revision", "for nodes that run"),
    ("node", "who is online"),
    ("guest_name", "who is online"),
    ("lost_name", "who is online"),
    ("online", "who is online"),
    ("webhook_lease", "for nodes that run"),
    ("sqlite_stat1", "the planner's"),
    ("sqlite_stat4", "the planner's"),
];

impl Table {
    /// The names of the columns, quoted: `user` is a keyword of PostgreSQL.
    pub(crate) fn column_list(&self) -> String {
        quoted(self.columns.iter().map(|it| it.name))
    }

    pub(crate) fn key_list(&self) -> String {
        quoted(self.key.iter().copied())
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(", ")
}

/// Queries that find nothing in a database without contradictions, with what they look for. Only an
/// import needs them: the engines keep what they ask.
pub(crate) const CONTRADICTIONS: [(&str, &str); 4] = [
    (
        "a message without its conversation, or beyond its head",
        "SELECT 1 FROM message LEFT JOIN conversation ON conversation.id = message.conversation \
            WHERE conversation.id IS NULL OR message.seq > conversation.head \
                OR message.seq <= conversation.floor LIMIT 1",
    ),
    (
        "a member without a conversation",
        "SELECT 1 FROM member LEFT JOIN conversation ON conversation.id = member.conversation \
            WHERE conversation.id IS NULL LIMIT 1",
    ),
    (
        "a conversation with another number of members",
        "SELECT 1 FROM conversation LEFT JOIN (SELECT conversation, count(*) AS number FROM member \
                GROUP BY conversation) AS counted ON counted.conversation = conversation.id \
            WHERE members <> coalesce(number, 0) LIMIT 1",
    ),
    (
        "a conversation with another number of entries",
        "SELECT 1 FROM conversation LEFT JOIN (SELECT conversation, count(*) AS number FROM message \
                GROUP BY conversation) AS counted ON counted.conversation = conversation.id \
            WHERE head - floor <> coalesce(number, 0) LIMIT 1",
    ),
];
