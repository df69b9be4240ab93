//! The structure of the repository: layers, file headers, documented tables.

mod circles;
mod layer_table;
mod layers;
mod protocol_tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The largest number of lines in a file.
const LINES_MAX: usize = 400;

/// All source files below a directory of the repository, with their text.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories = vec![root.join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "{directory} holds sources");
    found
}

#[test]
fn every_file_opens_with_a_doc_comment() {
    for directory in ["src", "tests", "benches"] {
        for (path, text) in sources(directory) {
            assert!(text.starts_with("//! "), "{} does not open with //!", path.display());
        }
    }
}

#[test]
fn no_file_exceeds_the_line_limit() {
    let long: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(sources)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "above {LINES_MAX} lines: {long:?}");
}
