//! Puts the page and the official Socket.IO client into the binary.
//!
//! The client comes from `npm ci` in `public/` and is not checked in. Without it the build goes
//! well and the server says what is missing, so that Rust alone is enough to work on the server.

use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io,
    path::{Path, PathBuf},
};

/// The kinds of file that the page is made of. `package.json` is not among them.
const KINDS: [&str; 7] = ["css", "html", "js", "png", "svg", "webmanifest", "woff2"];

/// What the official server serves of the client, besides the maps.
const BUNDLES: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

fn main() -> io::Result<()> {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let client = public.join("node_modules").join("socket.io-client");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", public.display());
    // Already watched with the folder around it; a path that is not there would count as changed
    // at every build.
    if client.exists() {
        println!("cargo:rerun-if-changed={}", client.join("dist").display());
    }
    let mut table = String::new();
    list(&mut table, "PAGE", &page(&public)?);
    list(&mut table, "CLIENT", &bundles(&client)?);
    #[expect(clippy::disallowed_methods, reason = "Cargo says so in the environment")]
    let target = env::var_os("OUT_DIR").expect("Cargo names a directory for what is built");
    fs::write(Path::new(&target).join("files.rs"), table)
}

/// A file, and what its `ETag` is.
struct File {
    path: PathBuf,
    tag: String,
}

/// What the page is made of. The tag is a mark of the content.
fn page(public: &Path) -> io::Result<Vec<File>> {
    if !public.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(public)? {
        let path = entry?.path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if path.is_file() && KINDS.contains(&kind) {
            let mut mark = DefaultHasher::new();
            mark.write(&fs::read(&path)?);
            files.push(File { path, tag: format!("{:016x}", mark.finish()) });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The official client. The tag is its version, as with the official server.
fn bundles(client: &Path) -> io::Result<Vec<File>> {
    let package = client.join("package.json");
    if !package.exists() {
        return Ok(Vec::new());
    }
    let version = version(&fs::read_to_string(package)?);
    let names = BUNDLES.into_iter().flat_map(|name| [name.to_owned(), format!("{name}.map")]);
    let paths = names.map(|name| client.join("dist").join(name)).filter(|path| path.exists());
    Ok(paths.map(|path| File { path, tag: version.clone() }).collect())
}

/// The version in a `package.json`, which npm writes with one key in each line.
fn version(package: &str) -> String {
    let line = package.lines().find_map(|line| line.trim().strip_prefix("\"version\":"));
    line.unwrap_or_default().trim_matches([' ', ',', '"']).to_owned()
}

/// Writes the table `name` of `files`.
fn list(table: &mut String, name: &str, files: &[File]) {
    let mut line = |text: String| writeln!(table, "{text}").expect("a string takes all");
    line(format!("const {name}: &[File] = &["));
    for File { path, tag } in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let path = path.to_string_lossy();
        let tag = format!("\"{tag}\"");
        line(format!(
            "    File {{ name: {name:?}, tag: {tag:?}, bytes: include_bytes!({path:?}) }},"
        ));
    }
    line("];".to_owned());
}
