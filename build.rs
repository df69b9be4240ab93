//! Rebuilds the binary when a file is added to the page, `npm ci` installs the official client, or a
//! database gets another migration.
//!
//! `src/transport/pages.rs` and the stores embed them. The compiler itself watches only the files that it
//! embedded.

use std::path::Path;

fn main() {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let client = public.join("node_modules").join("socket.io-client");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", public.display());
    println!("cargo:rerun-if-changed=src/store/postgres/migrations");
    println!("cargo:rerun-if-changed=src/store/sqlite/migrations");
    // A path that does not exist would count as changed at every build.
    if client.exists() {
        println!("cargo:rerun-if-changed={}", client.join("dist").display());
    }
}
