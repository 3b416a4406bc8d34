//! What the fuzz targets in `fuzz/` call: a function for each kind of bytes from outside, which panics where something does
//! not hold. A test calls the same functions with the inputs in `fuzz/seeds`.

macro_rules! targets {
    ($($(#[$documentation:meta])* $name:ident = $function:path;)*) => {
        $(
            $(#[$documentation])*
            pub fn $name(bytes: &[u8]) {
                $function(bytes);
            }
        )*

        /// All of them, by name.
        #[cfg(test)]
        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name)),*];
    };
}

targets! {
    /// A file of `plan --addresses`.
    addresses = crate::plan::addresses::fuzz::addresses;
    /// An answer of the service, as `curl --include` writes it.
    answers = crate::client::fuzz::answers;
    /// An archive that `locate` searches.
    archives = crate::locate::fuzz::archives;
    /// A certificate of a server, or the file of `--ca-cert`.
    certificates = crate::client::fuzz::certificates;
    /// The `WWW-Authenticate` headers of an answer, one a line.
    challenge = crate::client::fuzz::challenge;
    /// A file of `--credentials`.
    credentials_file = crate::credentials::file::fuzz::credentials_file;
    /// A canonical export.
    export = crate::evidence::export::fuzz::export;
    /// The content of a git object, delta or index.
    git_objects = crate::locate::git::fuzz::git_objects;
    /// The files and objects of a git repository.
    git_repository = crate::locate::git::fuzz::git_repository;
    /// A file of `locate --keys`.
    keys_csv = crate::commands::locate::keys::fuzz::keys_csv;
    /// A `manifest.json`.
    manifest = crate::evidence::verify::fuzz::manifest;
    /// A file of saved answers.
    saved = crate::import::fuzz::saved;
    /// A `keysunset.toml`.
    settings = crate::config::file::fuzz::settings;
    /// Text that `locate` searches, in any encodings.
    text = crate::locate::fuzz::text;
    /// A file of `--users`.
    user_list = crate::sources::fuzz::user_list;
    /// A file of `--waivers`.
    waiver_file = crate::waivers::file::fuzz::waiver_file;
    /// Text in a file that `locate` searches part by part.
    windows = crate::locate::fuzz::windows;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::TARGETS;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_fuzzed_holds_for_the_kept_inputs() {
        for (name, target) in TARGETS {
            let seeds = files(&root().join("seeds").join(name));
            assert!(!seeds.is_empty(), "{name}");
            for seed in seeds {
                println!("{}", seed.display());
                target(&fs::read(seed).unwrap());
            }
        }
    }

    /// `just fuzz-lock` makes fuzz/Cargo.lock again.
    #[test]
    fn what_is_fuzzed_is_what_is_built() {
        let versions = |path: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let lock: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
            let packages = lock["package"].as_array().unwrap().iter();
            packages.map(|it| format!("{} {}", it["name"], it["version"])).collect::<BTreeSet<_>>()
        };
        let own = ["arbitrary", "keysunset-fuzz", "libfuzzer-sys"];
        let mut others = versions("fuzz/Cargo.lock");
        others.retain(|package| !own.iter().any(|name| package.starts_with(&format!("\"{name}\" "))));
        assert!(others.len() > 100);
        let different: Vec<_> = others.difference(&versions("Cargo.lock")).cloned().collect();
        assert!(different.is_empty(), "{different:?}: run `just fuzz-lock`");
    }

    #[test]
    fn each_target_has_its_program_and_its_inputs() {
        let names = |folder| {
            let files = files(&root().join(folder)).into_iter();
            files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let known: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names("fuzz_targets"), known);
        assert_eq!(names("seeds"), known);
        let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
        let programs = manifest["bin"].as_array().unwrap();
        assert!(programs.iter().map(|program| program["name"].as_str().unwrap()).eq(&known));
        for name in known {
            let program = fs::read_to_string(root().join(format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("keysunset::fuzz::{name}(")), "{program}");
        }
    }
}
