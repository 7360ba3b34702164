//! The printed program, in a crate outside the workspace with the README's manifest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::fixture::{Scratch, fresh_name};

/// A member beside the crates under test, so that what they share with the workspace has the
/// features that it has there, and its build is used again.
const COMPANION: &str = r#"
[package]
name = "companion"
edition = "2024"

[dependencies]
libp2p = { version = "*", default-features = false, features = ["mdns"] }
serde_json = "1"
tokio = { version = "1", features = ["process", "rt-multi-thread", "signal"] }
tracing-subscriber = { version = "0.3", default-features = false, features = ["env-filter", "fmt"] }
"#;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace").to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    fs::write(path, text).expect("the file is written");
}

/// The first block of this language in a text.
fn block<'t>(text: &'t str, language: &str) -> &'t str {
    let start = text
        .split_once(&format!("```{language}\n"))
        .expect("a block")
        .1;
    start.split_once("```").expect("the end of the block").0
}

/// What a reader of the README writes into `Cargo.toml`, with this workspace as the source.
fn manifest(name: &str) -> String {
    let readme = read("README.md");
    let printed = block(&readme, "toml");
    assert!(printed.contains(r#"objects = { git = "…" }"#), "{printed}");
    let here = format!("path = {:?}", root().join("objects"));
    let dependencies = printed.replace(r#"git = "…""#, &here);
    format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n{dependencies}")
}

/// A crate that needs only the overlay: one of the examples.
fn overlay_manifest(name: &str) -> String {
    let here = root().join("overlay");
    format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n\
         overlay = {{ path = {here:?} }}\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"signal\"] }}\n"
    )
}

/// The profile of everything that is not built for this test alone, as in the workspace.
fn profiles() -> String {
    let own = read("Cargo.toml");
    let start = own.find("[profile.dev]").expect("profiles");
    let shared = &own[start..];
    let sections = shared
        .split("\n\n")
        .take(2)
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        sections.contains(r#"[profile.dev.package."*"]"#),
        "{sections}"
    );
    let quick = ["objects", "objects-proto", "overlay", "overlay-proto"]
        .map(|package| format!("\n\n[profile.dev.package.{package}]\nopt-level = 0"));
    sections + &quick.concat()
}

/// A folder with the crates, outside the workspace but with its lock file and profiles.
fn crates(names: [&str; 2]) -> Scratch {
    let folder = Scratch::new();
    let members = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{:?}, {:?}, \"companion\"]\n\n{}\n",
        names[0],
        names[1],
        profiles()
    );
    write(&folder.0.join("Cargo.toml"), &members);
    write(&folder.0.join("Cargo.lock"), &read("Cargo.lock"));
    write(&folder.0.join("companion/Cargo.toml"), COMPANION);
    write(&folder.0.join("companion/src/lib.rs"), "");
    folder
}

/// Where this executable was built, and where the crates are to be: what is equal is shared.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("this executable has a path");
    let target = own
        .ancestors()
        .nth(3)
        .expect("target/PROFILE/deps/end_to_end");
    target.to_owned()
}

fn build(folder: &Path) {
    let started = Instant::now();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--workspace"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let compiled = said.matches("Compiling").count();
    println!(
        "cargo build: {compiled} crates compiled within {:?}",
        started.elapsed()
    );
}

/// Runs a program twice at once in one cluster; what both print.
fn run_two(program: &str) -> Vec<String> {
    let (cluster, path) = (fresh_name(), target().join("debug").join(program));
    let start = || {
        Command::new(&path)
            .env("PYDO_CLUSTER", &cluster)
            .env("PYDO_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let mut lines = Vec::new();
    for running in [start(), start()] {
        let ended = running.wait_with_output().expect("it ran");
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{}: {said}", ended.status);
        lines.extend(said.lines().map(str::to_owned));
    }
    lines
}

#[test]
fn the_readme_works_for_a_crate_outside() {
    let (counter, alone) = ("outside_counter", "outside_overlay");
    let folder = crates([counter, alone]);
    let readme = read("README.md");
    let printed = block(&readme, "rust");
    write(
        &folder.0.join(counter).join("Cargo.toml"),
        &manifest(counter),
    );
    write(&folder.0.join(counter).join("src/main.rs"), printed);
    write(
        &folder.0.join(alone).join("Cargo.toml"),
        &overlay_manifest(alone),
    );
    let example = read("examples/overlay_alone.rs");
    write(&folder.0.join(alone).join("src/main.rs"), &example);
    build(&folder.0);

    let started = Instant::now();
    let counts = run_two(counter);
    let distinct: BTreeSet<&str> = counts.iter().map(String::as_str).collect();
    assert_eq!(distinct, BTreeSet::from(["1", "2", "3", "4"]), "{counts:?}");
    println!(
        "two processes counted {counts:?} within {:?}",
        started.elapsed()
    );
    let said = run_two(alone).join("\n");
    assert!(said.contains("was here"), "{said}");

    let line = "    fn count(&self) -> u64 { self.count }\n";
    let more = "    fn reset(&mut self) -> u64 { std::mem::take(&mut self.count) }\n";
    let longer = printed.replace(line, &format!("{line}{more}"));
    assert_eq!(longer.lines().count(), printed.lines().count() + 1);
    write(&folder.0.join(counter).join("src/main.rs"), &longer);
    build(&folder.0);
}
