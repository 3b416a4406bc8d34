//! The sandbox as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Dropping it stops it.
pub(super) struct Deployment {
    process: Child,
    pub(super) url: String,
    pub(super) public_key: String,
    pub(super) private_key: String,
}

impl Deployment {
    pub(super) fn start(users: u32) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_keysunset"))
            .args(["sandbox", "--users", &users.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        let announced: Value = serde_json::from_str(&line).expect("JSON");
        let text = |name: &str| announced[name].as_str().expect("a text").to_owned();
        let (url, public_key, private_key) = (text("url"), text("public_key"), text("private_key"));
        Self { process, url, public_key, private_key }
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
