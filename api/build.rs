//! Compiles the page in again when its built files change: the compiler sees changes of files that it knows, but not new
//! ones.

fn main() {
    println!("cargo:rerun-if-changed=../web/dist");
}
