//! Writes an export: a line per row, with counts at the end, so that a cut file is noticed.

use std::{
    fmt,
    io::{self, Write},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    DataError, DatabaseSummary, Progress,
    tables::{EXPORT_SCHEMA, TABLES, Table, Value},
};

/// Writes the lines of an export.
pub struct ExportWriter<'a> {
    out: &'a mut (dyn Write + Send),
    progress: &'a (dyn Progress + Sync),
    counts: [u64; TABLES.len()],
}

impl fmt::Debug for ExportWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportWriter").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl<'a> ExportWriter<'a> {
    /// Writes the first line.
    pub fn begin(
        out: &'a mut (dyn Write + Send),
        progress: &'a (dyn Progress + Sync),
    ) -> Result<Self, DataError> {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(out, r#"{{"roomcast":"{version}","schema":{EXPORT_SCHEMA}}}"#).map_err(failed)?;
        Ok(Self { out, progress, counts: [0; TABLES.len()] })
    }

    /// Writes a row of the table at this position.
    pub(crate) fn row(&mut self, table: usize, values: &[Value]) -> Result<(), DataError> {
        if let (Some(table), Some(count)) = (TABLES.get(table), self.counts.get_mut(table)) {
            *count += 1;
            write_row(self.out, table, values).map_err(failed)?;
        }
        self.progress.rows(self.counts.iter().sum());
        Ok(())
    }

    /// Writes the last line.
    pub(crate) fn finish(self, schema: i64) -> Result<DatabaseSummary, DataError> {
        let rows = TABLES.iter().map(|it| it.name.to_owned()).zip(self.counts);
        let rows: Vec<_> = rows.collect();
        let counts: Vec<_> =
            rows.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
        writeln!(self.out, r#"{{"rows":{{{}}}}}"#, counts.join(",")).map_err(failed)?;
        self.out.flush().map_err(failed)?;
        Ok(DatabaseSummary { schema, rows, files: Vec::new() })
    }
}

/// Writes `{"table":{"column":value,…}}` without the columns that are NULL.
fn write_row(out: &mut dyn Write, table: &Table, values: &[Value]) -> io::Result<()> {
    write!(out, "{{\"{}\":{{", table.name)?;
    let mut separator = "";
    for (column, value) in table.columns.iter().zip(values) {
        if matches!(value, Value::Null) {
            continue;
        }
        write!(out, "{separator}\"{}\":", column.name)?;
        separator = ",";
        match value {
            Value::Null => (),
            Value::Int(number) => write!(out, "{number}")?,
            Value::Flag(flag) => write!(out, "{flag}")?,
            Value::Text(text) => serde_json::to_writer(&mut *out, text)?,
            Value::Bytes(bytes) => write!(out, "\"{}\"", STANDARD.encode(bytes))?,
        }
    }
    writeln!(out, "}}}}")
}

fn failed(error: io::Error) -> DataError {
    DataError::failed("the export cannot be written", error)
}
