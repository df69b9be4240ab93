//! Embeds the page and the official Socket.IO client in the binary.
//!
//! `npm ci` in `public/` installs the client, which is not checked in. Without it the build
//! succeeds and the server reports what is missing, so that Rust alone is enough to work on the
//! server.

use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hasher as _},
    io,
    path::{Path, PathBuf},
};

/// The kinds of file of the page. `package.json` is not one of them.
const KINDS: [&str; 7] = ["css", "html", "js", "png", "svg", "webmanifest", "woff2"];

/// The client files that the official server serves, besides the source maps.
const BUNDLES: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

fn main() -> io::Result<()> {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let client = public.join("node_modules").join("socket.io-client");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", public.display());
    // Already watched with the folder around it. A path that does not exist would count as changed
    // in every build.
    if client.exists() {
        println!("cargo:rerun-if-changed={}", client.join("dist").display());
    }
    let mut table = String::new();
    list(&mut table, "PAGE", &page(&public)?);
    list(&mut table, "CLIENT", &bundles(&client)?);
    #[expect(clippy::disallowed_methods, reason = "Cargo passes it in the environment")]
    let target = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    fs::write(Path::new(&target).join("files.rs"), table)
}

/// A file, and its `ETag`.
struct File {
    path: PathBuf,
    tag: String,
}

/// The files of the page. The tag is a hash of the content.
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

/// The version in a `package.json`. npm writes each key on a line of its own.
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
