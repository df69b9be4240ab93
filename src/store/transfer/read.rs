//! Reads an export, line by line. What is wrong with a line is said with its number.

use std::{
    fmt,
    io::{BufRead, Read as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json};

use super::{
    DataError, Progress,
    tables::{ColumnKind, EXPORT_SCHEMA, META, TABLES, Table, Value},
};

/// A longer line is refused. The largest bodies and attachments that settings permit are shorter.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// A row of the table at a position, and its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ImportRow {
    pub(crate) table: usize,
    pub(crate) values: Vec<Value>,
    pub(crate) line: u64,
}

/// Reads the lines of an export.
pub struct ImportReader<'a> {
    input: &'a mut (dyn BufRead + Send),
    progress: &'a (dyn Progress + Sync),
    line: u64,
    text: Vec<u8>,
    /// The table of the row before.
    table: usize,
    counts: [u64; TABLES.len()],
}

impl fmt::Debug for ImportReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportReader").field("line", &self.line).finish_non_exhaustive()
    }
}

impl<'a> ImportReader<'a> {
    /// Reads the first line.
    pub fn begin(
        input: &'a mut (dyn BufRead + Send),
        progress: &'a (dyn Progress + Sync),
    ) -> Result<Self, DataError> {
        let counts = [0; TABLES.len()];
        let mut reader = Self { input, progress, line: 0, text: Vec::new(), table: META, counts };
        let first = reader.object()?;
        let Some(version) = first.get("roomcast").and_then(Json::as_str) else {
            return Err(reader.refusal("this is no export of roomcast"));
        };
        match first.get("schema").and_then(Json::as_u64) {
            Some(EXPORT_SCHEMA) => Ok(reader),
            Some(schema) => Err(reader.refusal(&format!(
                "the export is of roomcast {version} and has schema {schema}; this version reads \
                 {EXPORT_SCHEMA}"
            ))),
            None => Err(reader.refusal("`schema` is missing")),
        }
    }

    /// The next row; `None` after a last line that counts all rows.
    pub(crate) fn next_row(&mut self) -> Result<Option<ImportRow>, DataError> {
        let object = self.object()?;
        let mut entries = object.into_iter();
        let (Some((name, content)), None) = (entries.next(), entries.next()) else {
            return Err(self.refusal("a line has one table with its row"));
        };
        let Json::Object(columns) = content else {
            return Err(self.refusal(&format!("`{name}` must be an object")));
        };
        if name == "rows" {
            return self.finish(&columns).map(|()| None);
        }
        let Some(position) = TABLES.iter().position(|it| it.name == name) else {
            return Err(self.refusal(&format!("there is no table `{name}`")));
        };
        let is_first = self.counts.iter().sum::<u64>() == 0;
        if is_first != (position == META) {
            return Err(self.refusal("the first row, and no other, is of `meta`"));
        }
        if position < self.table {
            return Err(self.refusal(&format!("rows of `{name}` must come earlier")));
        }
        self.table = position;
        let (Some(table), Some(count)) = (TABLES.get(position), self.counts.get_mut(position))
        else {
            return Err(self.refusal("there is no such table"));
        };
        *count += 1;
        let values = values(table, columns).map_err(|why| self.refusal(&why))?;
        self.progress.rows(self.counts.iter().sum());
        Ok(Some(ImportRow { table: position, values, line: self.line }))
    }

    /// The number of rows of each table.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        TABLES.iter().map(|it| it.name.to_owned()).zip(self.counts).collect()
    }

    /// Compares the counts of the last line. Nothing may follow it.
    fn finish(&mut self, counts: &Map<String, Json>) -> Result<(), DataError> {
        if counts.len() != TABLES.len() {
            return Err(self.refusal("the last line counts other tables"));
        }
        for (table, count) in TABLES.iter().zip(self.counts) {
            if counts.get(table.name).and_then(Json::as_u64) != Some(count) {
                let name = table.name;
                return Err(self.refusal(&format!(
                    "the file has {count} rows of `{name}`, not so many as it says here"
                )));
            }
        }
        if self.counts.iter().sum::<u64>() == 0 {
            return Err(self.refusal("the row of `meta` is missing"));
        }
        if self.read_line()? {
            return Err(self.refusal("nothing may follow the line with the counts"));
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Map<String, Json>, DataError> {
        if !self.read_line()? {
            return Err(
                self.refusal("the file ends here, without the line with the counts: it was cut")
            );
        }
        match serde_json::from_slice(&self.text) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(self.refusal("a line must be a JSON object")),
            Err(error) => Err(self.refusal(&format!("this is not JSON: {error}"))),
        }
    }

    /// Whether there was another line.
    fn read_line(&mut self) -> Result<bool, DataError> {
        self.line += 1;
        self.text.clear();
        let mut limited = self.input.take(LINE_BYTES_MAX);
        let length = limited.read_until(b'\n', &mut self.text);
        let length =
            length.map_err(|error| DataError::failed("the export cannot be read", error))?;
        if self.text.last() != Some(&b'\n') && length as u64 == LINE_BYTES_MAX {
            return Err(self.refusal("the line is too long"));
        }
        Ok(length > 0)
    }

    fn refusal(&self, why: &str) -> DataError {
        at_line(self.line, why)
    }
}

/// The refusal of a line.
pub(crate) fn at_line(line: u64, why: &str) -> DataError {
    DataError::Refused(format!("line {line}: {why}"))
}

/// The values in the order of the table's columns.
fn values(table: &Table, mut columns: Map<String, Json>) -> Result<Vec<Value>, String> {
    let mut values = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        let invalid = || format!("`{}.{}` has an invalid value", table.name, column.name);
        let value = match (columns.remove(column.name), column.kind) {
            (None | Some(Json::Null), _) if column.may_be_null => Value::Null,
            (None | Some(Json::Null), _) => {
                return Err(format!("`{}.{}` is missing", table.name, column.name));
            }
            (Some(Json::Number(number)), ColumnKind::Int) => {
                Value::Int(number.as_i64().ok_or_else(invalid)?)
            }
            (Some(Json::Bool(flag)), ColumnKind::Flag) => Value::Flag(flag),
            (Some(Json::String(text)), ColumnKind::Text) => Value::Text(text),
            (Some(Json::String(text)), ColumnKind::Bytes) => {
                Value::Bytes(STANDARD.decode(text).ok().ok_or_else(invalid)?)
            }
            _ => return Err(invalid()),
        };
        values.push(value);
    }
    match columns.keys().next() {
        Some(unknown) => Err(format!("`{}` has no column `{unknown}`", table.name)),
        None => Ok(values),
    }
}
