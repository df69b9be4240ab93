//! Dependencies between layers: main → app → transport → wire → chat → domain, and engines → chat.
//!
//! Cargo checks no layers within a crate. So every `crate::x` and every dependency that a file
//! names outside of its tests must be in the list of its layer. A file without a layer is an error.

use std::{collections::BTreeSet, fs, path::Path};

use super::{layer_table::LAYERS, sources};

/// The layer of a file: the first part of its path in `src`.
fn layer_of(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The text without comments and without tests.
pub(super) fn code(path: &Path, text: &str) -> String {
    let file = path.file_name().unwrap().to_str().unwrap();
    let is_test = path.iter().any(|folder| folder == "tests" || folder == "contract")
        || matches!(file, "tests.rs" | "test_support.rs" | "contract.rs" | "script.rs");
    if is_test {
        return String::new();
    }
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The identifier at the beginning of a text.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap()
}

/// The first names of a path or of a group of paths.
fn heads(text: &str) -> Vec<String> {
    let Some(group) = text.strip_prefix('{') else { return vec![identifier(text).to_owned()] };
    let (mut heads, mut depth, mut begins) = (Vec::new(), 0_usize, true);
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                heads.push(identifier(group.get(place..).unwrap()).to_owned());
                begins = false;
            }
            _ => (),
        }
    }
    heads
}

/// The layers that a text names.
fn layers_named(code: &str) -> BTreeSet<String> {
    code.split("crate::").skip(1).flat_map(heads).filter(|it| *it != "Result").collect()
}

/// The dependencies that a text names: as the first part of a path.
fn crates_named(code: &str, dependencies: &[String]) -> BTreeSet<String> {
    let (mut named, mut rest) = (BTreeSet::new(), String::new());
    for statement in code.split_inclusive(';') {
        let begin = statement.find("use ").filter(|begin| {
            let before = statement.get(..*begin).unwrap().trim_end();
            let line = before.rsplit('\n').next().unwrap().trim();
            matches!(line, "" | "pub" | "pub(crate)" | "pub(super)" | ";") || line.starts_with('#')
        });
        match begin {
            Some(begin) => {
                rest.push_str(statement.get(..begin).unwrap());
                named.extend(heads(statement.get(begin + 4..).unwrap().trim()));
            }
            None => rest.push_str(statement),
        }
    }
    for name in dependencies {
        let path = format!("{name}::");
        let inline = rest.match_indices(&path).any(|(place, _)| {
            let before = rest.get(..place).unwrap().chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
        });
        if inline {
            named.insert(name.clone());
        }
    }
    named.retain(|it| dependencies.contains(it));
    named
}

/// The dependencies in the manifest, as identifiers.
fn dependencies() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let names = ["dependencies", "dev-dependencies"].map(|it| manifest[it].as_table().unwrap());
    names.into_iter().flat_map(|it| it.keys()).map(|it| it.replace('-', "_")).collect()
}

#[test]
fn every_file_uses_only_the_dependencies_of_its_layer() {
    let (dependencies, mut wrong) = (dependencies(), Vec::new());
    for (path, text) in sources("src") {
        let name = layer_of(&path);
        if name == "lib" {
            continue;
        }
        let Some(layer) = LAYERS.iter().find(|it| it.name == name) else {
            wrong.push(format!("{} is in no layer", path.display()));
            continue;
        };
        let code = code(&path, &text);
        for other in layers_named(&code) {
            if other != name && !layer.layers.contains(&&*other) {
                wrong.push(format!("{} names crate::{other}", path.display()));
            }
        }
        for other in crates_named(&code, &dependencies) {
            // A module may have the name of a dependency.
            if !layer.crates.contains(&&*other) {
                wrong.push(format!("{} names {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn chat_uses_no_sockets() {
    for (path, text) in sources("src/chat") {
        for socket in ["tokio::net", "net::", "socketioxide", "tungstenite", "hyper"] {
            assert!(!code(&path, &text).contains(socket), "{} names {socket}", path.display());
        }
    }
}

#[test]
fn only_app_names_engines() {
    for (path, text) in sources("src") {
        let layer = layer_of(&path);
        for (engine, home) in [
            ("MemoryStore", "store"),
            ("MemoryNodes", "store"),
            ("SqliteStore", "store"),
            ("PostgresStore", "store"),
            ("PostgresNodes", "store"),
            ("LocalBus", "bus"),
            ("MemoryBus", "bus"),
            ("RedisBus", "bus"),
        ] {
            let may = layer == home || layer == "app";
            assert!(
                may || !code(&path, &text).contains(engine),
                "{} names {engine}",
                path.display()
            );
        }
    }
}

#[test]
fn layers_and_crates_are_found_in_source_text() {
    let text =
        "use crate::{\n    chat::{Chat, Hello},\n    domain,\n};\nlet x = crate::tasks::Tasks;\n";
    let found: Vec<_> = layers_named(text).into_iter().collect();
    assert_eq!(found, ["chat", "domain", "tasks"]);
    let dependencies = ["tokio", "time", "bytes"].map(str::to_owned);
    let text = "use std::io;\npub use tokio::{\n    time::sleep,\n};\nfn f(x: bytes::Bytes) {}\n";
    let found: Vec<_> = crates_named(text, &dependencies).into_iter().collect();
    assert_eq!(found, ["bytes", "tokio"]);
}
