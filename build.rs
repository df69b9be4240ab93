//! Rebuilds the binary when a file is added to the page, or `npm ci` installs the official client.
//!
//! `src/transport/pages.rs` embeds both. The compiler itself watches only the files that it
//! embedded.

use std::path::Path;

fn main() {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let client = public.join("node_modules").join("socket.io-client");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", public.display());
    // A path that does not exist would count as changed at every build.
    if client.exists() {
        println!("cargo:rerun-if-changed={}", client.join("dist").display());
    }
}
