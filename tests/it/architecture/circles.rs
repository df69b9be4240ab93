//! Modules do not import each other in circles, in any folder of `src`.
//!
//! The files and subfolders of a folder are nodes, and an import of one from another is an edge.
//! The folder's own `mod.rs` is not a node: a module and its submodules are one unit from outside.
//! A name that a `mod.rs` re-exports belongs to the module that defines it. Inside `chat` the edges
//! also follow [`CHAT_LAYERS`].

use std::collections::{BTreeMap, BTreeSet};

use super::{layers::code, sources};

/// The modules of `src/chat`, lowest first. A module imports from its own layer and lower ones.
const CHAT_LAYERS: [&[&str]; 13] = [
    &["delivery_time", "event", "ports", "replaceable", "request"],
    &["api_pace", "backends", "fault"],
    &["publisher"],
    &["hub"],
    &["cluster", "webhooks"],
    &["journal"],
    &["posting"],
    &[
        "actions",
        "ask",
        "denials",
        "directory",
        "drain",
        "leaving",
        "lists",
        "readiness",
        "reads",
        "status",
    ],
    &["room_changes"],
    &["session"],
    &["admission"],
    &["api", "bans", "emitter", "revocations", "sign_in", "transfer"],
    &["admin", "dead_letters"],
];

/// A module path without `crate`: `["chat", "hub"]`.
type Path = Vec<String>;

/// The imports between two modules.
type Edges = BTreeMap<(String, String), BTreeSet<String>>;

/// The modules of the crate, and what their `mod.rs` re-export.
struct Modules {
    code: BTreeMap<Path, String>,
    /// The paths, from the crate's root, that stand for a name of a module.
    exports: BTreeMap<(Path, String), Path>,
}

impl Modules {
    fn read() -> Self {
        let mut code_of = BTreeMap::new();
        for (path, text) in sources("src") {
            let mut module: Path = path
                .with_extension("")
                .iter()
                .skip(1)
                .map(|it| it.to_str().unwrap().to_owned())
                .collect();
            if module.last().is_some_and(|it| it == "mod") {
                module.pop();
            }
            code_of.insert(module, code(&path, &text));
        }
        let mut modules = Self { code: code_of, exports: BTreeMap::new() };
        modules.exports = modules.code.iter().flat_map(|it| modules.exports_of(it)).collect();
        modules
    }

    /// What a module re-exports: the name, and its original path.
    fn exports_of(&self, (module, code): (&Path, &String)) -> Vec<((Path, String), Path)> {
        let public = uses(code).into_iter().filter(|it| it.is_public).flat_map(|it| it.paths);
        let targets = public.filter_map(|path| self.absolute(module, &path));
        let named = targets.filter_map(|it| Some(((module.clone(), it.last()?.clone()), it)));
        named.collect()
    }

    /// A path from the crate's root; `None` for paths outside of the crate.
    fn absolute(&self, from: &Path, path: &[String]) -> Option<Path> {
        let (mut base, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (parent(from), &path[1..]),
            first => {
                let mut child = from.clone();
                child.push(first.to_owned());
                if !self.code.contains_key(&child) {
                    return None;
                }
                (from.clone(), path)
            }
        };
        while rest.first().is_some_and(|it| it == "super") {
            base = parent(&base);
            rest = &rest[1..];
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The module that defines the item of an absolute path.
    fn owner(&self, path: &Path) -> Path {
        let mut module = Vec::new();
        for (place, part) in path.iter().enumerate() {
            let mut child = module.clone();
            child.push(part.clone());
            if self.code.contains_key(&child) {
                module = child;
                continue;
            }
            return match self.exports.get(&(module.clone(), part.clone())) {
                Some(target) if target != path => {
                    let rest = path.get(place + 1..).unwrap_or_default();
                    self.owner(&[target.as_slice(), rest].concat())
                }
                _ => module,
            };
        }
        module
    }

    /// The edges between the children of each folder.
    fn edges(&self) -> BTreeMap<Path, Edges> {
        let mut folders: BTreeMap<Path, Edges> = BTreeMap::new();
        for (module, code) in &self.code {
            for path in paths(code) {
                let Some(target) = self.absolute(module, &path) else { continue };
                let owner = self.owner(&target);
                let common = module.iter().zip(&owner).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (module.get(common), owner.get(common)) {
                    let folder = module.get(..common).unwrap_or_default().to_vec();
                    let edges = folders.entry(folder).or_default();
                    let places = edges.entry((from.clone(), to.clone())).or_default();
                    places.insert(format!("{} → {}", module.join("::"), target.join("::")));
                }
            }
        }
        folders
    }
}

fn parent(module: &Path) -> Path {
    module.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default()
}

/// A `use`, flattened.
struct Use {
    is_public: bool,
    paths: Vec<Path>,
}

/// All `use` statements of a text.
fn uses(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    for statement in code.split_inclusive(';') {
        let Some(begin) = statement.match_indices("use ").map(|(at, _)| at).find(|at| {
            let line = statement.get(..*at).unwrap().rsplit('\n').next().unwrap().trim();
            line.is_empty() || line.starts_with("pub")
        }) else {
            continue;
        };
        let line = statement.get(..begin).unwrap().rsplit('\n').next().unwrap().trim();
        let tree: String = statement
            .get(begin + 4..)
            .unwrap()
            .trim_end_matches(';')
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        found.push(Use { is_public: line.starts_with("pub"), paths: flatten(&tree) });
    }
    found
}

/// The paths of a `use` tree: `a::{b, c::d as e}` are `a::b` and `a::c::d`.
fn flatten(tree: &str) -> Vec<Path> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![
            path.split("::").map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect(),
        ];
    };
    let prefix: Path =
        prefix.split("::").map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in group.chars() {
        match c {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                part.push(c);
            }
        }
    }
    parts.push(part);
    let parts = parts.iter().filter(|it| !it.trim().is_empty()).flat_map(|it| flatten(it));
    parts.map(|it| [prefix.as_slice(), it.as_slice()].concat()).collect()
}

/// All paths that a text names: those of its `use` statements, and those that begin with `crate`,
/// `super` or `self` in other places.
fn paths(code: &str) -> Vec<Path> {
    let mut found: Vec<_> =
        uses(code).into_iter().filter(|it| !it.is_public).flat_map(|it| it.paths).collect();
    for begin in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(begin) {
            let before = code.get(..at).unwrap().chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = code.get(at..).unwrap();
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            let path = rest.get(..end.unwrap_or(rest.len())).unwrap();
            found.push(path.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect());
        }
    }
    found
}

/// A circle among the edges, if there is one.
fn circle(edges: &Edges) -> Option<Vec<String>> {
    fn visit(
        node: &str,
        edges: &Edges,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if let Some(begin) = path.iter().position(|it| it == node) {
            path.drain(..begin);
            return true;
        }
        if !done.insert(node.to_owned()) {
            return false;
        }
        path.push(node.to_owned());
        let next = edges.keys().filter(|(from, _)| from == node).map(|(_, to)| to);
        if next.into_iter().any(|to| visit(to, edges, path, done)) {
            return true;
        }
        path.pop();
        false
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|(from, _)| {
        let mut path = Vec::new();
        visit(from, edges, &mut path, &mut done).then_some(path)
    })
}

#[test]
fn modules_do_not_depend_on_each_other_in_circles() {
    let mut found = Vec::new();
    for (folder, edges) in Modules::read().edges() {
        if let Some(circle) = circle(&edges) {
            found.push(format!("in src/{}: {}", folder.join("/"), circle.join(" → ")));
            for (from, to) in circle.iter().zip(circle.iter().cycle().skip(1)) {
                let places = edges.get(&(from.clone(), to.clone())).into_iter().flatten();
                found.extend(places.map(|it| format!("    {it}")));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_layers_inside_chat_are_kept() {
    let modules = Modules::read();
    let chat = vec!["chat".to_owned()];
    let layer = |module: &str| CHAT_LAYERS.iter().position(|it| it.contains(&module));
    let mut wrong = Vec::new();
    for module in modules.code.keys().filter(|it| it.len() > 1 && it.starts_with(&chat)) {
        let name = module.get(1).unwrap();
        if layer(name).is_none() && !name.starts_with("test") {
            wrong.push(format!("chat::{name} is in no layer"));
        }
    }
    for ((from, to), places) in &modules.edges()[&chat] {
        if layer(from) < layer(to) {
            wrong.extend(places.iter().map(|it| format!("{from} is below {to}: {it}")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let edges = |pairs: &[(&str, &str)]| -> Edges {
        let pairs = pairs
            .iter()
            .map(|(from, to)| (((*from).to_owned(), (*to).to_owned()), BTreeSet::new()));
        pairs.collect()
    };
    let ring = circle(&edges(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap();
    assert_eq!(ring, ["b", "c"]);
    assert!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])).is_none());
    let code = "pub use self::a::X;\nuse crate::{\n    chat::{self, hub::Hub as H},\n    b,\n};\nfn f() { super::g() }\n";
    let found: Vec<_> = paths(code).iter().map(|it| it.join("::")).collect();
    let expected = ["crate::chat::self", "crate::chat::hub::Hub", "crate::b"];
    assert!(expected.iter().all(|it| found.contains(&(*it).to_owned())), "{found:?}");
    assert!(found.contains(&"super::g".to_owned()) && found.contains(&"self::a::X".to_owned()));
}
