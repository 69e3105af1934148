//! No files of a crate import each other in a circle: whoever reads one need only read those below it.
//!
//! An import of a module counts as one of the file that declares it. Tests inside files may import what they like.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose files are looked at together: the module path of the folder, and what in it is looked at by itself.
const FOLDERS: [(&str, &str, &[&str]); 2] = [
    ("cli/src", "crate", &["program", "main", "lib"]),
    ("cli/src/program", "crate::program", &[]),
];

#[test]
fn files_do_not_import_each_other_in_circles() {
    for (folder, path, apart) in FOLDERS {
        let modules = modules(folder, path, apart);
        assert!(modules.len() > 10, "{folder}: {} modules", modules.len());
        let imports = imports(&modules);
        let edges: usize = imports.values().map(BTreeSet::len).sum();
        assert!(edges > modules.len(), "{folder}: {edges} imports");
        if let Some(circle) = circle(&imports) {
            panic!("{folder}: {}", circle.join(" -> "));
        }
    }
}

/// Module paths, and the code of their files.
type Modules = BTreeMap<String, String>;

fn modules(folder: &str, path: &str, apart: &[&str]) -> Modules {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(folder);
    let mut found = Modules::new();
    let mut folders = vec![(root, path.to_owned())];
    while let Some((folder, path)) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let file: PathBuf = entry.unwrap().path();
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if path == "crate" && apart.contains(&stem.as_str()) {
                continue;
            }
            let module = match stem.as_str() {
                "mod" => path.clone(),
                name => format!("{path}::{name}"),
            };
            if file.is_dir() {
                folders.push((file, module));
            } else if file.extension().is_some_and(|e| e == "rs") && !module.ends_with("tests") {
                found.insert(module, code(&fs::read_to_string(&file).unwrap()));
            }
        }
    }
    found
}

/// A source without comments and tests, its inline modules as if they were part of it.
fn code(source: &str) -> String {
    let end = source.find("#[cfg(test)]\nmod tests");
    let lines = source[..end.unwrap_or(source.len())].lines();
    let mut inline = false;
    let mut code = String::new();
    for line in lines.filter(|line| !line.trim_start().starts_with("//")) {
        inline |= line.contains("mod ") && line.ends_with('{') && !line.starts_with(' ');
        inline &= line != "}";
        code += &match inline {
            true => without_one_super(line),
            false => line.to_owned(),
        };
        code.push('\n');
    }
    code
}

/// What a line of an inline module means outside of it.
fn without_one_super(line: &str) -> String {
    let Some((before, after)) = line.split_once("super::") else {
        return line.to_owned();
    };
    match after.starts_with("super::") {
        true => format!("{before}{after}"),
        false => format!("{before}self::{after}"),
    }
}

fn imports(modules: &Modules) -> BTreeMap<String, BTreeSet<String>> {
    let each = modules.iter().map(|(module, code)| {
        let named = paths(code).into_iter();
        let named = named.filter_map(|path| resolved(modules, module, &path));
        let others = named.filter(|other| other != module).collect();
        (module.clone(), others)
    });
    each.collect()
}

/// All paths that are imported or spelled out, groups taken apart.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let mut at = 0;
        let import = statement.split_inclusive('\n').find_map(|line| {
            let begin = at;
            at += line.len();
            let words = line.trim_start();
            let words = words.strip_prefix("pub").unwrap_or(words);
            let words = words
                .trim_start_matches("(crate)")
                .trim_start_matches("(super)");
            words.trim_start().starts_with("use ").then_some(begin)
        });
        let (before, import) = statement.split_at(import.unwrap_or(statement.len()));
        found.extend(spelled(before));
        if let Some((_, tree)) = import.split_once("use ") {
            expand("", tree, &mut found);
        }
    }
    found
}

/// The paths of `prefix::tree`.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        found.push(format!("{prefix}{path}"));
        return;
    };
    let group = group.trim_end().trim_end_matches('}');
    let (mut depth, mut start) = (0, 0);
    let prefix = format!("{prefix}{}", head.trim());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &group[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = format!("{}{}", &group[start..], "}".repeat(depth));
    if !last.trim().is_empty() {
        expand(&prefix, &last, found);
    }
}

/// Paths that begin at the crate or at the module above, wherever they stand.
fn spelled(code: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c));
    let words = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    words.map(str::to_owned).collect()
}

/// The module of this crate that a path in `module` leads into, if it is one of these.
fn resolved(modules: &Modules, module: &str, path: &str) -> Option<String> {
    let mut base = module.to_owned();
    let mut rest = path.trim();
    let absolute = if rest.starts_with("crate::") {
        rest.to_owned()
    } else {
        while let Some(shorter) = rest.strip_prefix("super::") {
            base = base.rsplit_once("::")?.0.to_owned();
            rest = shorter;
        }
        format!("{base}::{rest}")
    };
    // A path into no module leads to what the file itself names, if to anything of this crate.
    let mut prefix = absolute.as_str();
    while !modules.contains_key(prefix) {
        prefix = prefix.rsplit_once("::")?.0;
    }
    Some(prefix.to_owned())
}

/// Modules each of which imports the next, the last of them the first.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    imports
        .keys()
        .find_map(|module| visit(imports, module, &mut Vec::new(), &mut done))
}

fn visit(
    imports: &BTreeMap<String, BTreeSet<String>>,
    module: &str,
    above: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(at) = above.iter().position(|other| other == module) {
        let circle = above[at..].iter().cloned();
        return Some(circle.chain([module.to_owned()]).collect());
    }
    if !done.insert(module.to_owned()) {
        return None;
    }
    above.push(module.to_owned());
    let next = imports.get(module).into_iter().flatten();
    let found = next
        .into_iter()
        .find_map(|next| visit(imports, next, above, done));
    above.pop();
    found
}

#[test]
fn circles_are_found() {
    let modules = |files: &[(&str, &str)]| -> Modules {
        files
            .iter()
            .map(|(module, source)| ((*module).to_owned(), code(source)))
            .collect()
    };
    let found = |files: &[(&str, &str)]| circle(&imports(&modules(files)));
    let straight = [
        (
            "crate::a",
            "mod b;\nmod d;\npub use b::{B, other::{C, D}};\nuse d::F;\n",
        ),
        ("crate::a::b", "use crate::c::C;\n// use super::A;\n"),
        (
            "crate::c",
            "use std::fmt;\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
    ];
    assert_eq!(found(&straight), None);
    let through_the_facade = [
        ("crate::a", "mod b;\npub use b::B;\n"),
        ("crate::a::b", "use std::{fmt, io};\n\nuse super::Other;\n"),
    ];
    assert_eq!(found(&through_the_facade).unwrap().len(), 3);
    let grouped = [
        ("crate::a", "use crate::{c, b::{self, B}};"),
        ("crate::b", "fn f() { crate::a::g() }"),
        ("crate::c", ""),
    ];
    let circle = found(&grouped).unwrap();
    assert_eq!(circle, ["crate::a", "crate::b", "crate::a"]);
}
