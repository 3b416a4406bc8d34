//! The picture of the README is drawn from what the program prints.

use std::process::{Command, Stdio};

use super::{renewing, root};
use crate::evidence::has;

#[test]
fn the_picture_of_the_readme_is_what_the_program_prints() {
    if !has("python3", &["--version"]) {
        return;
    }
    let output = Command::new("python3")
        .arg(root().join("docs/picture.py"))
        .arg(env!("CARGO_BIN_EXE_keysunset"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = String::from_utf8(output.stdout).unwrap();
    let file = root().join("docs/picture.svg");
    if renewing() {
        std::fs::write(&file, &drawn).unwrap();
    }
    let shown = std::fs::read_to_string(&file).unwrap();
    assert!(
        drawn == shown,
        "the output of the demo changed. Draw the picture again: INSTA_UPDATE=always cargo test --test it -- docs::picture"
    );
    for forbidden in ["<script", "http://", "https://", "@import", "href"] {
        let outside = shown.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains(forbidden), "{forbidden}");
    }
}
