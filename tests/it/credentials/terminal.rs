//! The prompt, on a pseudo-terminal.

use crate::stub::{PRIVATE, PUBLIC, Stub, USER, key};
use crate::support::{TestEnv, until_echo_is_off};

/// Types into the program on a pseudo-terminal of its own, a line after each of these prompts; hands back all of the screen.
fn typed(env: &TestEnv, command: &str, answers: &[(&str, &str)]) -> Option<(Option<i32>, String)> {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    let program = env!("CARGO_BIN_EXE_keysunset");
    let child = Command::new("script")
        .args(["-qec", &format!("echo terminal=$(tty)=; '{program}' {command}"), "/dev/null"])
        .current_dir(env.path(""))
        .env_clear()
        .env("HOME", env.path(""))
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.ok()?;
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut answers) = (Vec::new(), answers.iter().peekable());
    let mut bytes = [0; 1024];
    loop {
        let read = screen.read(&mut bytes).unwrap();
        if read == 0 {
            break;
        }
        seen.extend_from_slice(&bytes[..read]);
        if let Some((_, answer)) =
            answers.next_if(|(prompt, _)| String::from_utf8_lossy(&seen).contains(*prompt))
        {
            // What is typed before the echo is off would be shown by the terminal, not by the program.
            if answer.contains(PRIVATE) {
                let seen = String::from_utf8_lossy(&seen);
                let terminal = seen.split("terminal=").nth(1).unwrap().split('=').next().unwrap();
                until_echo_is_off(terminal);
            }
            keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
    }
    Some((child.wait().unwrap().code(), String::from_utf8_lossy(&seen).into_owned()))
}

#[test]
fn the_prompt_asks_on_a_terminal_and_shows_no_secret() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = TestEnv::empty();
    let command = format!("audit --url {} --user {USER} --retries 0", stub.url());
    let answers = [("Public key", PUBLIC), ("Private key", PRIVATE)];
    let Some((code, screen)) = typed(&env, &command, &answers) else {
        crate::foreign::skipped("util-linux's script");
        return;
    };
    assert_eq!(code, Some(1), "{screen}");
    assert!(
        screen.contains(PUBLIC) && !screen.contains(PRIVATE) && !screen.contains(&PRIVATE[..18]),
        "{screen}"
    );
    assert!(env.files().values().all(|bytes| !String::from_utf8_lossy(bytes).contains(PRIVATE)));
    let (code, screen) = typed(&env, &command, &[("Public key", "")]).unwrap();
    assert!(code == Some(5) && screen.contains("no credentials"), "{screen}");
}
