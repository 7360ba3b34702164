//! The style that a machine can keep: layout, sizes, layers, and words that do not belong here.
//!
//! Exceptions are listed with their size and may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
const EXAMPLE_LINES_MAX: usize = 120;

/// Production files longer than [`FILE_LINES_MAX`], with the size that they may have.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions longer than [`FUNCTION_LINES_MAX`], as `file:function`, with their size.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];

/// Source folders of the packages whose modules must not import in a circle.
const PACKAGES: &[&str] = &[
    "bootstrap/src",
    "objects/macros/src",
    "objects/peer/src",
    "objects/proto/src",
    "objects/src",
    "overlay/proto/src",
    "overlay/src",
    "plot/src",
    "simulations/src",
    "tests/fuzz/src",
];

#[test]
fn sources_are_tidy() {
    let mut complaints = Vec::new();
    for source in sources() {
        check_source(&source, &mut complaints);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_import_in_one_direction() {
    let circles: Vec<String> = PACKAGES
        .iter()
        .filter_map(|package| circle(package))
        .collect();
    assert!(circles.is_empty(), "\n{}\n", circles.join("\n"));
}

#[test]
fn cores_stay_free_of_io() {
    for package in ["overlay-proto", "objects-proto"] {
        let folder = if package == "overlay-proto" {
            "overlay/proto"
        } else {
            "objects/proto"
        };
        let lib = read(&root().join(folder).join("src/lib.rs"));
        assert!(lib.contains("#![no_std]"), "{package} must be no_std");
        assert!(
            lib.contains("#![forbid(unsafe_code)]"),
            "{package} must forbid unsafe code"
        );
        let tree = dependencies(package);
        for banned in [
            "tokio",
            "libp2p",
            "getrandom",
            "mio",
            "socket2",
            "async-std",
        ] {
            assert!(!tree.contains(banned), "{package} depends on {banned}");
        }
    }
    let tree = dependencies("simulations");
    for banned in ["tokio", "libp2p"] {
        assert!(!tree.contains(banned), "simulations depends on {banned}");
    }
    assert!(
        !dependencies("overlay").contains("objects"),
        "overlay must stand alone"
    );
}

#[test]
fn examples_are_short_and_listed() {
    let folder = root().join("examples");
    let readme = read(&folder.join("README.md"));
    for entry in fs::read_dir(&folder).expect("examples/") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = path
            .file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let lines = read(&path).lines().count();
        assert!(lines <= EXAMPLE_LINES_MAX, "{name} has {lines} lines");
        assert!(
            readme.contains(&name),
            "examples/README.md does not list {name}"
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("workspace root")
        .to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust sources that git knows or would take, relative to the root.
fn sources() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(root())
        .output()
        .expect("git");
    let listed = String::from_utf8(output.stdout).expect("file names are UTF-8");
    listed
        .lines()
        .filter(|file| root().join(file).exists())
        .map(String::from)
        .collect()
}

fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("package names are UTF-8");
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(String::from)
        .collect()
}

fn is_test(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs") || file.contains("/benches/")
}

fn check_source(file: &str, complaints: &mut Vec<String>) {
    let text = read(&root().join(file));
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "))
        .unwrap_or(lines.len());
    let production = &lines[..tests];
    let documented = text.starts_with("//!") || text.starts_with("#![doc = include_str!");
    if !documented && !file.contains("/ui/") {
        complaints.push(format!("{file}: does not start with //!"));
    }
    for (number, line) in text.lines().enumerate() {
        if line.chars().count() > COLUMNS_MAX {
            complaints.push(format!(
                "{file}:{}: more than {COLUMNS_MAX} columns",
                number + 1
            ));
        }
    }
    if is_test(file) {
        return;
    }
    let allowed = LONG_FILES
        .iter()
        .find(|(name, _)| *name == file)
        .map(|(_, lines)| *lines);
    if production.len() > allowed.unwrap_or(FILE_LINES_MAX) {
        complaints.push(format!(
            "{file}: {} lines of production code",
            production.len()
        ));
    }
    check_words(file, production, complaints);
    check_functions(file, production, complaints);
    if file.ends_with("src/lib.rs") && !file.starts_with("objects/macros") {
        for (number, line) in production.iter().enumerate() {
            let item = line.trim_start().trim_start_matches("pub ");
            if ["struct ", "enum ", "trait ", "fn ", "impl "]
                .iter()
                .any(|k| item.starts_with(k))
            {
                complaints.push(format!("{file}:{}: lib.rs defines nothing", number + 1));
            }
        }
    }
}

fn check_words(file: &str, production: &[&str], complaints: &mut Vec<String>) {
    let words = [
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        concat!("FIX", "ME"),
        ".unwrap()",
        "crate::prelude",
    ];
    for (number, line) in production.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") || code.starts_with("const ") {
            continue;
        }
        for word in words.iter().filter(|word| code.contains(**word)) {
            complaints.push(format!(
                "{file}:{}: `{word}` in production code",
                number + 1
            ));
        }
    }
}

/// Functions are found by their indentation, which rustfmt keeps.
fn check_functions(file: &str, production: &[&str], complaints: &mut Vec<String>) {
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in production.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if let Some((name, start, end)) = &open {
            let declared = line.ends_with(");") || line.trim_start().starts_with(") ->");
            if declared && line.ends_with(';') && line.len() - line.trim_start().len() < end.len() {
                open = None;
            } else if line.starts_with(end.as_str()) && line.len() == end.len() {
                check_function(file, name, number - start + 1, complaints);
                open = None;
            }
            continue;
        }
        let head = code
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let head = head
            .trim_start_matches("pub(super) ")
            .trim_start_matches("const ");
        let head = head.trim_start_matches("async ");
        if let Some(rest) = head.strip_prefix("fn ")
            && !code.ends_with(';')
            && !code.ends_with('}')
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
            open = Some((name, number, format!("{indent}}}")));
        }
    }
}

fn check_function(file: &str, name: &str, lines: usize, complaints: &mut Vec<String>) {
    let key = format!("{file}:{name}");
    let allowed = LONG_FUNCTIONS
        .iter()
        .find(|(listed, _)| *listed == key)
        .map(|(_, size)| *size);
    if lines > allowed.unwrap_or(FUNCTION_LINES_MAX) {
        complaints.push(format!("{file}: fn {name} has {lines} lines"));
    }
}

/// A circle among the top-level modules of a package, if there is one.
fn circle(package: &str) -> Option<String> {
    let folder = root().join(package);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources()
        .into_iter()
        .filter(|file| file.starts_with(&format!("{package}/")))
    {
        let inside = file[package.len() + 1..].to_owned();
        let module = inside
            .split(['/', '.'])
            .next()
            .unwrap_or_default()
            .to_owned();
        if is_test(&file) || ["lib", "main", "bin"].contains(&module.as_str()) {
            continue;
        }
        let text = read(&root().join(&file));
        let entry = imports.entry(module.clone()).or_default();
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = production
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for piece in code.split("crate::").skip(1) {
            for name in first_names(piece) {
                let is_module = folder.join(format!("{name}.rs")).exists()
                    || folder.join(&name).join("mod.rs").exists();
                if is_module && name != module {
                    entry.insert(name);
                }
            }
        }
    }
    imports.keys().find_map(|start| {
        let mut path = vec![start.clone()];
        walk(&imports, start, start, &mut path, &mut BTreeSet::new()).then(|| {
            format!(
                "{package}: modules import in a circle: {}",
                path.join(" -> ")
            )
        })
    })
}

/// The first names of what follows `crate::`: one, or those of a braced list.
fn first_names(piece: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(list) = piece.strip_prefix('{') else {
        return vec![word(piece)];
    };
    let mut depth = 0;
    let mut names = vec![String::new()];
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ => {}
        }
        if let Some(last) = names.last_mut()
            && letter != ','
        {
            last.push(letter);
        }
    }
    names.iter().map(|name| word(name)).collect()
}

fn walk(
    imports: &BTreeMap<String, BTreeSet<String>>,
    start: &str,
    at: &str,
    path: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> bool {
    for next in imports.get(at).into_iter().flatten() {
        if next == start {
            path.push(next.clone());
            return true;
        }
        if seen.insert(next.clone()) {
            path.push(next.clone());
            if walk(imports, start, next, path, seen) {
                return true;
            }
            path.pop();
        }
    }
    false
}
