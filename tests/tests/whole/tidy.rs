//! The architecture's rules, read from manifests and sources.

use peregrine_tests::imports::{Graph, Modules, circles};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files below `folder` with this ending, in order, relative to the workspace.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Lines of code: neither comments nor what stands in test modules.
fn code(path: &Path) -> Vec<(usize, String)> {
    let source = text(path);
    let end = source.find("#[cfg(test)]\nmod").unwrap_or(source.len());
    let lines = source[..end].lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(i, line)| (i + 1, line.to_owned()))
        .collect()
}

const CRATES: [&str; 6] = ["ir-spec", "compiler", "runtime", "cli", "tests", "examples"];

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let allowed: [(&str, &[&str]); 5] = [
        ("ir-spec", &[]),
        ("compiler", &["peregrine-ir"]),
        ("runtime", &["peregrine-ir"]),
        (
            "cli",
            &["peregrine-compiler", "peregrine-ir", "peregrine-runtime"],
        ),
        ("examples", &["peregrine"]),
    ];
    for (krate, allowed) in allowed {
        let manifest = text(Path::new(&format!("{krate}/Cargo.toml")));
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        let dependencies = dependencies.split("[dependencies]").nth(1).unwrap();
        let found: BTreeSet<&str> = dependencies
            .lines()
            .filter(|line| line.starts_with("peregrine"))
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(
            found.is_subset(&allowed),
            "{krate} depends on {found:?}, allowed are {allowed:?}"
        );
    }
}

/// Whether a line of code has a path that starts with this crate.
fn names_crate(line: &str, name: &str) -> bool {
    let part_of_a_longer_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.match_indices(&format!("{name}::"))
        .any(|(at, _)| !line[..at].ends_with(part_of_a_longer_path))
}

#[test]
fn paths_of_a_crate_are_recognised() {
    assert!(names_crate("use egg::Id;", "egg"));
    assert!(names_crate("    let x: Vec<egg::Id> = vec![];", "egg"));
    assert!(!names_crate("use onnx_protobuf::Message;", "protobuf"));
    assert!(!names_crate("use crate::egg::Id;", "egg"));
}

#[test]
fn third_party_types_stay_in_their_module() {
    let homes: [(&str, &[&str]); 21] = [
        ("onnx_protobuf", &["compiler/src/onnx"]),
        ("protobuf", &["compiler/src/onnx"]),
        ("egg", &["compiler/src/rewrite"]),
        ("tract_onnx", &["compiler/src/onnx/fold"]),
        ("libm", &["ir-spec/src/finish"]),
        ("petgraph", &["compiler/src"]),
        ("clap", &["cli/src/program"]),
        ("comfy_table", &["cli/src/program/tables"]),
        ("half", &["cli/src/arrays", "compiler/src/onnx"]),
        ("indicatif", &["cli/src/program"]),
        ("ndarray", &["cli/src/arrays"]),
        ("ndarray_npy", &["cli/src/arrays"]),
        ("prost", &["ir-spec/src/binary", "runtime/src/wire"]),
        ("aes", &["runtime/src/ring"]),
        ("ctr", &["runtime/src/ring"]),
        ("tfhe", &["runtime/src/ring"]),
        ("tfhe_ntt", &["runtime/src/ring"]),
        ("memmap2", &["runtime/src/wire"]),
        ("rustix", &["cli/src/program/files"]),
        ("signal_hook", &["cli/src/program/files"]),
        ("zip", &["cli/src/arrays"]),
    ];
    for path in ["ir-spec", "compiler", "runtime", "cli"]
        .iter()
        .flat_map(|k| files(&format!("{k}/src"), ".rs"))
    {
        for (line, source) in code(&path) {
            for (name, homes) in &homes {
                let used = names_crate(&source, name);
                let home = homes.iter().any(|home| path.starts_with(home));
                assert!(
                    !used || home,
                    "{}:{line}: `{name}` belongs to {homes:?}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn unsafe_code_is_confined_and_argued() {
    // Mapping a file and counting allocations are unsafe by signature; everything else belongs to the kernels of the ring.
    let homes = [
        "runtime/src/ring",
        "runtime/src/wire/mapped.rs",
        "runtime/tests/allocation.rs",
        "tests/tests/fuzz_readers.rs",
    ];
    for path in CRATES
        .iter()
        .flat_map(|k| files(k, ".rs"))
        .filter(|p| !p.ends_with("whole/tidy.rs"))
    {
        let lines: Vec<String> = text(&path).lines().map(str::to_owned).collect();
        for (line, code) in code(&path) {
            if !["unsafe {", "unsafe fn", "unsafe impl"]
                .iter()
                .any(|word| code.contains(word))
            {
                continue;
            }
            let at = format!("{}:{line}", path.display());
            assert!(
                homes.iter().any(|h| path.starts_with(h)),
                "{at}: unsafe outside {homes:?}"
            );
            let above = &lines[line.saturating_sub(6)..line];
            assert!(
                above.iter().any(|l| l.contains("// SAFETY:")),
                "{at}: unsafe without its reason above"
            );
        }
    }
}

#[test]
fn files_are_read_and_written_at_the_edges_only() {
    let edges = [
        "cli/src/arrays",
        "cli/src/machine.rs",
        "cli/src/main.rs",
        "cli/src/program",
        "runtime/src/wire",
        "compiler/src/onnx/files.rs",
    ];
    // One environment variable, so that every caller, tests included, can turn vector loops off.
    let exceptions = [("runtime/src/ring/kernels.rs", "std::env")];
    for path in ["ir-spec", "compiler", "runtime", "cli"]
        .iter()
        .flat_map(|k| files(&format!("{k}/src"), ".rs"))
    {
        if edges.iter().any(|edge| path.starts_with(edge)) {
            continue;
        }
        for (line, source) in code(&path) {
            for word in [
                "std::fs",
                "std::net",
                "std::env",
                "std::process",
                "SystemTime",
            ] {
                let excepted = exceptions
                    .iter()
                    .any(|(p, w)| path.starts_with(p) && *w == word);
                assert!(
                    excepted || !source.contains(word),
                    "{}:{line}: `{word}` below the edges",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn files_and_functions_stay_readable() {
    for path in CRATES.iter().flat_map(|k| files(k, ".rs")) {
        let source = text(&path);
        let lines: Vec<&str> = source.lines().collect();
        assert!(
            lines.len() <= 600,
            "{} has {} lines, the limit is 600",
            path.display(),
            lines.len()
        );
        if path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs") {
            continue; // a table of cases is as long as there are cases
        }
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let public = body.strip_prefix("pub(").and_then(|b| b.split_once(") "));
            let declared = public.map_or(body, |(_, rest)| rest);
            let opens = ["fn ", "pub fn ", "async fn "]
                .iter()
                .any(|w| declared.starts_with(w));
            let ends = lines[start..]
                .iter()
                .find(|l| l.ends_with('{') || l.ends_with(';') || l.ends_with('}'));
            if !opens || ends.is_none_or(|l| !l.ends_with('{')) {
                continue;
            }
            let closes = format!("{}}}", " ".repeat(indent));
            let length = lines[start..]
                .iter()
                .position(|l| *l == closes)
                .unwrap_or(0);
            assert!(
                length <= 60,
                "{}:{}: a function of {length} lines, the limit is 60",
                path.display(),
                start + 1
            );
        }
    }
}

#[test]
fn every_pass_has_its_file_tests() {
    let passes: BTreeSet<String> = peregrine_compiler::passes::PASSES
        .iter()
        .map(|p| p.name.to_owned())
        .collect();
    let folders: BTreeSet<String> = fs::read_dir(root().join("tests/filetests/passes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        passes, folders,
        "tests/filetests/passes has one folder per pass"
    );
}

#[test]
fn every_stage_has_its_file_tests() {
    for stage in ["layout", "slots", "manage", "keys"] {
        let folder = root().join("tests/filetests").join(stage);
        let files = fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().path());
        let names: BTreeSet<_> = names.collect();
        let is_snapshot =
            |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "snap");
        let snapshots = names.iter().filter(is_snapshot).count();
        assert!(snapshots >= 2, "{stage} has {snapshots} file tests");
        assert_eq!(
            names.len(),
            2 * snapshots,
            "{stage}: a file without a snapshot, or the other way round"
        );
    }
}

/// Files that use each other: the sources of a crate, and which of its files are looked at together.
fn imports(sources: &str, rooms: &[&str]) -> Graph {
    let (folder, crate_root) = sources.rsplit_once('/').unwrap();
    let modules = Modules::read(&root().join(folder), crate_root);
    let graph = modules.unwrap().graph();
    let inside = |file: &String| rooms.iter().any(|room| Path::new(file).starts_with(room));
    let found: Graph = graph
        .into_iter()
        .filter(|(file, _)| inside(file))
        .map(|(file, used)| (file, used.into_iter().filter(|file| inside(file)).collect()))
        .collect();
    for room in rooms {
        let there = found.keys().any(|file| Path::new(file).starts_with(room));
        assert!(there, "{sources} has no {room}");
    }
    found
}

fn has_no_circle(sources: &str, rooms: &[&str]) {
    let circles = circles(&imports(sources, rooms));
    assert!(
        circles.is_empty(),
        "modules of {sources} that import each other, for each group of them one way round:\n{}",
        circles.join("\n")
    );
}

#[test]
fn modules_of_the_compiler_import_in_one_direction() {
    for rooms in [["onnx"].as_slice(), &["manage"], &["layout", "slots"]] {
        has_no_circle("compiler/src/lib.rs", rooms);
    }
}

#[test]
fn modules_of_the_binary_form_import_in_one_direction() {
    has_no_circle(
        "ir-spec/src/lib.rs",
        &["binary", "interface", "interface.rs"],
    );
}

#[test]
fn modules_of_the_executor_import_in_one_direction() {
    let rooms = ["exec", "wire", "backend", "simulate", "server"];
    has_no_circle("runtime/src/lib.rs", &rooms);
}

#[test]
fn modules_of_the_library_import_in_one_direction() {
    let everything = fs::read_dir(root().join("cli/src")).unwrap();
    let names = everything.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names
        .filter(|name| name != "program" && name != "main.rs")
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    has_no_circle("cli/src/lib.rs", &names);
}

#[test]
fn modules_of_the_command_line_import_in_one_direction() {
    has_no_circle("cli/src/main.rs", &["program"]);
}

/// The rooms of the ONNX front end, each of which uses only those before it.
const ROOMS_OF_ONNX: [&str; 10] = [
    "format",
    "schema",
    "problems",
    "model",
    "build",
    "fold",
    "operators",
    "client",
    "import",
    "files.rs",
];

#[test]
fn rooms_of_the_onnx_front_end_have_an_order() {
    let room = |file: &str| {
        let name = file.split('/').nth(1).unwrap().to_owned();
        ROOMS_OF_ONNX.iter().position(|room| *room == name)
    };
    for (file, used) in imports("compiler/src/lib.rs", &["onnx"]) {
        if file == "onnx/mod.rs" {
            continue;
        }
        let own = room(&file);
        assert!(own.is_some(), "{file} is in none of {ROOMS_OF_ONNX:?}");
        for other in used {
            assert!(
                room(&other).is_some_and(|other| Some(other) <= own),
                "{file} uses {other}, which is in no room before its own: {ROOMS_OF_ONNX:?}"
            );
        }
    }
}
