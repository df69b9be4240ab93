//! Joins the page's modules into one, so that a browser loads them in one request.
//!
//! The files in `public/` are modules that a browser could load one by one; only what they say is
//! joined: each becomes a block, its imports become constants, and its exports an object with its
//! name. A form of `import` or `export` that is not known here is an error, and a test joins the
//! files of the page.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The first line of every joined module: modules of one document share what they export.
const PREAMBLE: &str = "const roomcastModules = (globalThis.roomcastModules ??= {});\n";

/// Why modules cannot be joined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum JoinError {
    #[error("there is no module {0}")]
    Missing(String),
    #[error("{0} imports itself, through others")]
    Circle(String),
    #[error("{module} has a line that cannot be joined: {line}")]
    Unknown { module: String, line: String },
}

/// Joins modules of `sources`, each at most once.
#[derive(Debug)]
pub(super) struct Joiner<'a> {
    sources: &'a BTreeMap<String, String>,
    joined: BTreeSet<String>,
    open: Vec<String>,
}

impl<'a> Joiner<'a> {
    pub(super) const fn new(sources: &'a BTreeMap<String, String>) -> Self {
        Self { sources, joined: BTreeSet::new(), open: Vec::new() }
    }

    /// The module `entry` with what it imports, except what an earlier call has joined: that is
    /// expected to run before.
    pub(super) fn join(&mut self, entry: &str) -> Result<String, JoinError> {
        let mut text = PREAMBLE.to_owned();
        self.add(entry, &mut text)?;
        Ok(text)
    }

    fn add(&mut self, name: &str, text: &mut String) -> Result<(), JoinError> {
        if self.joined.contains(name) {
            return Ok(());
        }
        if self.open.iter().any(|it| it == name) {
            return Err(JoinError::Circle(name.to_owned()));
        }
        let source = self.sources.get(name).ok_or_else(|| JoinError::Missing(name.to_owned()))?;
        let module = Module::parse(name, source)?;
        // A module that is loaded later would have its own copies of those that are joined.
        if let Some(line) = source.lines().find(|it| self.loads_later(it)) {
            return Err(JoinError::Unknown { module: name.to_owned(), line: line.to_owned() });
        }
        self.open.push(name.to_owned());
        for import in &module.imports {
            self.add(import, text)?;
        }
        self.open.pop();
        self.joined.insert(name.to_owned());
        module.write(name, text);
        Ok(())
    }

    fn loads_later(&self, line: &str) -> bool {
        let mut imports = line.split("import(\"./").skip(1).filter_map(|it| it.split('"').next());
        imports.any(|it| self.sources.contains_key(it))
    }
}

/// A module, taken apart.
#[derive(Debug, Default)]
struct Module {
    imports: Vec<String>,
    /// The constants in place of the imports, and the rest of the module.
    body: String,
    /// Properties of the object that has the exports: `name` or `name: local`.
    exports: Vec<String>,
}

impl Module {
    fn parse(name: &str, source: &str) -> Result<Self, JoinError> {
        let mut module = Self::default();
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            let mut statement = line.to_owned();
            let is_list = line.starts_with("import ") || line.starts_with("export {");
            while is_list && !statement.ends_with(';') {
                let Some(next) = lines.next() else { break };
                statement.push_str(next);
            }
            module.take(&statement).ok_or_else(|| JoinError::Unknown {
                module: name.to_owned(),
                line: line.to_owned(),
            })?;
        }
        Ok(module)
    }

    /// Takes one statement, or one line that is neither `import` nor `export`.
    fn take(&mut self, statement: &str) -> Option<()> {
        if let Some(import) = statement.strip_prefix("import ") {
            let (names, from) = import.strip_suffix("\";")?.split_once(" from \"./")?;
            let names = match (names.strip_prefix("* as "), list(names)) {
                (Some(all), None) => all.to_owned(),
                (None, Some(names)) => {
                    let names: Vec<_> = names.map(|(from, to)| property(from, to)).collect();
                    format!("{{ {} }}", names.join(", "))
                }
                _ => return None,
            };
            self.imports.push(from.to_owned());
            writeln!(self.body, "const {names} = roomcastModules[\"{from}\"];").ok()
        } else if let Some(export) = statement.strip_prefix("export ") {
            if let Some(names) = list(export.trim_end_matches(';')) {
                self.exports.extend(names.map(|(local, name)| property(name, local)));
                return Some(());
            }
            let kinds = ["const ", "function ", "async function ", "class "];
            let rest = kinds.iter().find_map(|kind| export.strip_prefix(kind))?;
            let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '$');
            let (name, _) = rest.split_at(end.filter(|at| *at > 0)?);
            self.exports.push(name.to_owned());
            writeln!(self.body, "{export}").ok()
        } else {
            writeln!(self.body, "{statement}").ok()
        }
    }

    fn write(&self, name: &str, text: &mut String) {
        let Self { imports: _, body, exports } = self;
        let exports = exports.join(", ");
        let block =
            format!("// {name}\n{{\n{body}roomcastModules[\"{name}\"] = {{ {exports} }};\n}}\n");
        text.push_str(&block);
    }
}

/// The names in `{ a, b as c }`, each with the one after `as`.
fn list(text: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let names = text.strip_prefix('{')?.strip_suffix('}')?.split(',');
    Some(
        names
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(|it| it.split_once(" as ").unwrap_or((it, it))),
    )
}

fn property(name: &str, value: &str) -> String {
    if name == value { name.to_owned() } else { format!("{name}: {value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn modules_are_joined_once_in_the_order_of_their_imports() {
        let files = sources(&[
            ("first.js", "import { two } from \"./two.js\";\nrun(two);\n"),
            (
                "second.js",
                "// About it.\nimport * as all from \"./two.js\";\nimport {\n  one as uno,\n  \
                 three,\n} from \"./one.js\";\nall.two(uno);\n",
            ),
            ("two.js", "import { one } from \"./one.js\";\nexport const two = one;\n"),
            (
                "one.js",
                "export async function one() {\n}\nconst local = 3;\nexport { local as three, \
                 local };\n",
            ),
        ]);
        let mut joiner = Joiner::new(&files);
        let one = "// one.js\n{\nasync function one() {\n}\nconst local = 3;\n\
            roomcastModules[\"one.js\"] = { one, three: local, local };\n}\n";
        let two = "// two.js\n{\nconst { one } = roomcastModules[\"one.js\"];\nconst two = one;\n\
            roomcastModules[\"two.js\"] = { two };\n}\n";
        let first = "// first.js\n{\nconst { two } = roomcastModules[\"two.js\"];\nrun(two);\n\
            roomcastModules[\"first.js\"] = {  };\n}\n";
        assert_eq!(joiner.join("first.js").unwrap(), [PREAMBLE, one, two, first].concat());
        let second = "// second.js\n{\n// About it.\nconst all = roomcastModules[\"two.js\"];\n\
            const { one: uno, three } = roomcastModules[\"one.js\"];\nall.two(uno);\n\
            roomcastModules[\"second.js\"] = {  };\n}\n";
        assert_eq!(joiner.join("second.js").unwrap(), [PREAMBLE, second].concat());
    }

    #[test]
    fn what_cannot_be_joined_is_named() {
        let unknown = |line: &str| JoinError::Unknown { module: "a.js".into(), line: line.into() };
        for (source, error) in [
            ("import x from \"./x.js\";", unknown("import x from \"./x.js\";")),
            ("import \"./x.js\";", unknown("import \"./x.js\";")),
            ("import { x } from \"x\";", unknown("import { x } from \"x\";")),
            ("import { x }", unknown("import { x }")),
            ("export default 1;", unknown("export default 1;")),
            ("export let x = 1;", unknown("export let x = 1;")),
            ("export * from \"./x.js\";", unknown("export * from \"./x.js\";")),
            ("export const { x } = y;", unknown("export const { x } = y;")),
            ("export { x } from \"./x.js\";", unknown("export { x } from \"./x.js\";")),
            ("await import(\"./a.js\");", unknown("await import(\"./a.js\");")),
            ("import { x } from \"./x.js\";", JoinError::Missing("x.js".into())),
            ("import { x } from \"./a.js\";", JoinError::Circle("a.js".into())),
        ] {
            let files = sources(&[("a.js", source)]);
            assert_eq!(Joiner::new(&files).join("a.js").unwrap_err(), error, "{source}");
        }
    }
}
