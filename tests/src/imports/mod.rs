//! Which module uses which: the graph of imports of a crate, read from its sources, and the circles in it.
//!
//! A module is a file. It uses another when it imports from it or names a path into it, be it through the re-export of a third:
//! a name is followed to the file that defines it. So a parent that declares and re-exports its children is not used by who
//! imports through it, but a parent that defines something is used by the children that import that. Comments and what is
//! compiled for tests only are not read; names that macros make are taken to be defined where they are looked for.

mod circles;
mod scope;
mod tokens;

pub use circles::{Graph, circles};

use scope::{Import, Scope, scope};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// The longest chain of re-exports that is followed.
const MAX_HOPS: usize = 32;

/// The modules of a crate.
#[derive(Debug)]
pub struct Modules {
    modules: Vec<Module>,
}

#[derive(Debug)]
struct Module {
    /// Path of its file below the crate's sources.
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    scope: Scope,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
}

impl Modules {
    /// Reads the crate whose root is this file of a folder: `lib.rs` or `main.rs`.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(folder: &Path, root: &str) -> io::Result<Self> {
        let mut failed = None;
        let modules = Self::new(root, |file| {
            let path = folder.join(file);
            if !path.exists() {
                return None;
            }
            let text = std::fs::read_to_string(path);
            text.map_err(|error| failed = Some(error)).ok()
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(modules),
        }
    }

    /// The crate whose root is this file; `text` tells what stands in a file, if there is one.
    pub fn new(root: &str, mut text: impl FnMut(&str) -> Option<String>) -> Self {
        let mut modules = Vec::new();
        let mut waiting = vec![(root.to_owned(), None, String::new())];
        while let Some((file, parent, name)) = waiting.pop() {
            let Some(source) = text(&file) else { continue };
            let folder = match file.rsplit_once('/') {
                _ if file == root => String::new(),
                Some((folder, "mod.rs")) => format!("{folder}/"),
                _ => format!("{}/", file.trim_end_matches(".rs")),
            };
            let own = add(&mut modules, (&file, parent, &name), scope(&source));
            for module in own {
                let Some(made) = modules.get(module) else {
                    continue;
                };
                for child in &made.scope.children {
                    for file in [format!("{child}.rs"), format!("{child}/mod.rs")] {
                        waiting.push((format!("{folder}{file}"), Some(module), child.clone()));
                    }
                }
            }
        }
        Self { modules }
    }

    /// Which files use which, files of this crate only.
    pub fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (index, module) in self.modules.iter().enumerate() {
            let used = self.used(index).into_iter();
            let files = used.filter_map(|i| Some(self.modules.get(i)?.file.clone()));
            let others = files.filter(|file| *file != module.file);
            graph.entry(module.file.clone()).or_default().extend(others);
        }
        graph
    }

    /// The modules that define what this one uses.
    fn used(&self, index: usize) -> BTreeSet<usize> {
        let mut used = BTreeSet::new();
        let Some(module) = self.modules.get(index) else {
            return used;
        };
        for import in &module.scope.imports {
            // What is only handed on is not used here; a module that is imported is used where a path begins with it.
            let handed_on = match &import.name {
                Some(name) => import.public && !module.scope.words.contains(name),
                None => import.public,
            };
            if handed_on {
                continue;
            }
            match (self.imported(index, import, 0), &import.name) {
                (Some(Target::Item(other)), _) | (Some(Target::Module(other)), None) => {
                    used.insert(other);
                }
                (Some(Target::Module(_)) | None, _) => {}
            }
        }
        // A path to a module itself only says who may see something.
        let paths = module.scope.paths.iter();
        used.extend(paths.filter_map(|path| match self.path(index, path)? {
            Target::Item(other) => Some(other),
            Target::Module(_) => None,
        }));
        used
    }

    /// What a path in the code of module `from` leads to, if it stays in the crate.
    fn path(&self, from: usize, path: &[String]) -> Option<Target> {
        let first = || {
            let (name, last) = (path.first()?, path.len() == 1);
            self.lookup(from, name, last, 0)
        };
        self.walk(from, path, first, 0)
    }

    /// What an import in module `from` leads to. Its path begins with a name that is not itself among all names of a module.
    fn imported(&self, from: usize, import: &Import, hops: usize) -> Option<Target> {
        let path = &import.path;
        let first = || self.named(from, path.first()?, path.len() == 1, hops);
        self.walk(from, path, first, hops)
    }

    /// Follows a path; `first` tells what its first word is where that is a name.
    fn walk(
        &self,
        from: usize,
        path: &[String],
        first: impl FnOnce() -> Option<Target>,
        hops: usize,
    ) -> Option<Target> {
        let (word, rest) = path.split_first()?;
        let mut at = match word.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules.get(from)?.parent?),
            _ => first()?,
        };
        for (i, name) in rest.iter().enumerate() {
            let Target::Module(module) = at else {
                return Some(at);
            };
            at = match name.as_str() {
                "super" => Target::Module(self.modules.get(module)?.parent?),
                name => (self.lookup(module, name, i + 1 == rest.len(), hops))
                    .unwrap_or(Target::Item(module)),
            };
        }
        Some(at)
    }

    /// What a name is in a module, be it by an import of all names of another.
    fn lookup(&self, at: usize, name: &str, last: bool, hops: usize) -> Option<Target> {
        self.named(at, name, last, hops).or_else(|| {
            let imports = self.modules.get(at)?.scope.imports.iter();
            let mut globs = imports.filter(|import| import.name.is_none());
            globs.find_map(|glob| match self.imported(at, glob, hops + 1)? {
                Target::Module(other) if other != at && hops < MAX_HOPS => {
                    self.lookup(other, name, last, hops + 1)
                }
                Target::Module(_) | Target::Item(_) => None,
            })
        })
    }

    /// What a name is that a module defines, declares or imports by name. A module and a function may share one: the function is
    /// meant at the end of a path.
    fn named(&self, at: usize, name: &str, last: bool, hops: usize) -> Option<Target> {
        if hops > MAX_HOPS {
            return None;
        }
        let module = self.modules.get(at)?;
        let child = || module.children.get(name).copied().map(Target::Module);
        let defined = || {
            let defined = module.scope.items.contains(name);
            defined.then_some(Target::Item(at))
        };
        let brought = || {
            let mut imports = module.scope.imports.iter();
            let import = imports.find(|import| import.name.as_deref() == Some(name))?;
            self.imported(at, import, hops + 1)
        };
        match last {
            true => brought().or_else(defined).or_else(child),
            false => child().or_else(brought).or_else(defined),
        }
    }
}

/// Adds a module with the inline ones inside it; returns all of them.
fn add(
    modules: &mut Vec<Module>,
    (file, parent, name): (&str, Option<usize>, &str),
    mut scope: Scope,
) -> Vec<usize> {
    let inline = std::mem::take(&mut scope.inline);
    let index = modules.len();
    modules.push(Module {
        file: file.to_owned(),
        parent,
        children: BTreeMap::new(),
        scope,
    });
    if let Some(parent) = parent.and_then(|parent| modules.get_mut(parent)) {
        parent.children.insert(name.to_owned(), index);
    }
    let mut added = vec![index];
    for (name, scope) in inline {
        added.extend(add(modules, (file, Some(index), &name), scope));
    }
    added
}

#[cfg(test)]
mod tests;
