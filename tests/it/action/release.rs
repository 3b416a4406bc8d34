//! The step of `action.yml` that takes a released program: only of these very sources, and only what its signer listed.

use std::process::Command;

use super::job::Job;
use crate::evidence::has;
use crate::support::CliOutput;

const PROGRAM: &str = "#!/bin/sh\necho released\n";

/// A folder with the action and a release of its sources, and one with releases.
struct Release {
    job: Job,
}

impl Release {
    /// `None`, with a note, where `ssh-keygen` is missing.
    fn signed() -> Option<Self> {
        if !has("sh", &["-c", "command -v ssh-keygen"]) {
            return None;
        }
        let job = Job::new();
        let env = &job.env;
        env.put("action/packaging/take-release", include_str!("../../../packaging/take-release"));
        env.put("action/packaging/source-hash", include_str!("../../../packaging/source-hash"));
        env.put("action/Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n\n");
        for file in ["Cargo.lock", "src/main.rs", "crates/one.rs", "templates/one.j2"] {
            env.put(&format!("action/{file}"), file);
        }
        let release = Self { job };
        release.sh("chmod +x action/packaging/*");
        release.sh("ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f another");
        release.sh("echo \"keysunset-release $(cat key.pub)\" > action/packaging/allowed_signers");
        let sources = release.sh("action/packaging/source-hash action").stdout;
        release.job.env.put("releases/v0.1.0/keysunset-0.1.0-sources.sha256", sources);
        release.job.env.put(&format!("releases/v0.1.0/{}", Self::program()), PROGRAM);
        release.sh("cd releases/v0.1.0 && sha256sum keysunset-* > SHA256SUMS");
        release.sign("key");
        Some(release)
    }

    fn program() -> String {
        format!("keysunset-0.1.0-{}-unknown-linux-musl", std::env::consts::ARCH)
    }

    fn sign(&self, key: &str) {
        self.sh(&format!(
            "rm -f releases/v0.1.0/SHA256SUMS.sig && ssh-keygen -Y sign -q -f {key} -n keysunset-release releases/v0.1.0/SHA256SUMS"
        ));
    }

    fn sh(&self, script: &str) -> CliOutput {
        let done = CliOutput::of(self.job.env.start(Command::new("bash").args(["-c", script])));
        assert_eq!(done.code, 0, "{script}: {done:?}");
        done
    }

    fn take(&self) -> CliOutput {
        let url = format!("file://{}", self.job.env.path("releases").display());
        let words = ["action/packaging/take-release", &url, "bin"];
        CliOutput::of(self.job.env.start(Command::new("bash").args(words)))
    }

    fn is_taken(&self) -> bool {
        self.job.env.path("bin/keysunset").exists()
    }
}

#[test]
fn a_release_of_the_same_sources_is_taken() {
    let Some(release) = Release::signed() else { return };
    let done = release.take();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.stdout.lines().last(), Some("taken=true"), "{done:?}");
    assert_eq!(release.sh("bin/keysunset").stdout, "released\n");
}

#[test]
fn without_a_release_of_the_same_sources_the_program_is_built() {
    for change in [
        "echo another > action/src/main.rs",
        "rm -r releases/v0.1.0",
        "sed -i s/0.1.0/0.2.0/ action/Cargo.toml",
        "rm action/packaging/allowed_signers",
        "cd releases/v0.1.0 && rm keysunset-*-musl && sha256sum keysunset-* > SHA256SUMS && rm *.sig \
         && ssh-keygen -Y sign -q -f ../../key -n keysunset-release SHA256SUMS",
    ] {
        let Some(release) = Release::signed() else { return };
        release.sh(change);
        let done = release.take();
        assert_eq!((done.code, done.stdout.lines().last()), (0, Some("taken=false")), "{change}: {done:?}");
        assert!(done.stdout.starts_with("no released program is used: "), "{done:?}");
        assert!(!release.is_taken(), "{change}");
    }
}

#[test]
fn a_release_that_is_not_what_its_signer_listed_ends_with_an_error() {
    let changes = [
        ("echo changed >> releases/v0.1.0/keysunset-*-musl", "a file keysunset-0.1.0-"),
        (
            "echo changed >> releases/v0.1.0/keysunset-*-sources.sha256",
            "a file keysunset-0.1.0-sources.sha256",
        ),
        ("echo changed >> releases/v0.1.0/SHA256SUMS", "a signature that is not of a key"),
        ("rm releases/v0.1.0/SHA256SUMS.sig", "no signature"),
        ("rm releases/v0.1.0/keysunset-*-musl", "does not have it"),
    ];
    for (change, problem) in changes {
        let Some(release) = Release::signed() else { return };
        release.sh(change);
        let done = release.take();
        assert_eq!(done.code, 1, "{change}: {done:?}");
        let error = done.stdout.lines().last().unwrap();
        assert!(error.starts_with("::error title=keysunset::the release v0.1.0 "), "{done:?}");
        assert!(error.contains(problem), "{change}: {error}");
        assert!(!release.is_taken(), "{change}");
    }
    let Some(release) = Release::signed() else { return };
    release.sign("another");
    assert_eq!((release.take().code, release.is_taken()), (1, false));
}
