//! A secret from a command, such as a password manager: its first line of standard output, without a shell. What it
//! says on standard error goes to the terminal; what it printed is never shown.

use std::io::Read as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::first_line;
use crate::console::duration;
use crate::exit::reason;

/// Longer than any secret.
const LIMIT: u64 = 64 << 10;
/// How often is looked whether it has ended, after its output has.
const LOOK: Duration = Duration::from_millis(10);

/// What the command prints, or what went wrong with it, to be read after "the command".
pub(super) fn first_line_of(
    arguments: &[Zeroizing<String>],
    timeout: Duration,
) -> Result<Zeroizing<String>, String> {
    let [program, arguments @ ..] = arguments else { return Err("is empty".to_owned()) };
    let mut child = Command::new(program.as_str())
        .args(arguments.iter().map(|argument| argument.as_str()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        // Not by name: what is no program may be a secret.
        .map_err(|why| format!("can't be run: {}", reason(&why)))?;
    let named = |why: String| format!("(`{}`) {why}", program.as_str());
    let output = wait(&mut child, timeout);
    if output.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    first_line(&output.map_err(named)?).ok_or_else(|| named("printed an empty first line".to_owned()))
}

fn wait(child: &mut Child, timeout: Duration) -> Result<Zeroizing<String>, String> {
    let deadline = Instant::now() + timeout;
    let late = || format!("did not end within {}", duration(timeout));
    let Some(stdout) = child.stdout.take() else { return Err("has no output".to_owned()) };
    let (sink, output) = mpsc::channel();
    // On a thread of its own, since a pipe has no timeout. It ends with the pipe.
    std::thread::spawn(move || sink.send(all(stdout)));
    let output = output.recv_timeout(timeout).map_err(|_| late())??;
    loop {
        match child.try_wait().map_err(|why| reason(&why))? {
            Some(status) if status.success() => return Ok(output),
            Some(status) => return Err(format!("failed ({status})")),
            None if Instant::now() >= deadline => return Err(late()),
            None => std::thread::sleep(LOOK),
        }
    }
}

fn all(stdout: ChildStdout) -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = stdout.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|why| reason(&why))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("printed more than {} KiB", LIMIT >> 10));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("printed bytes that are not UTF-8".to_owned()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(script: &str, timeout: Duration) -> Result<String, String> {
        let arguments = ["sh", "-c", script].map(|argument| Zeroizing::new(argument.to_owned()));
        first_line_of(&arguments, timeout).map(|line| line.as_str().to_owned())
    }

    #[test]
    fn the_first_line_is_the_secret() {
        let timeout = Duration::from_secs(30);
        assert_eq!(run("printf 's3cr3t\\r\\nuser: x\\n'", timeout).unwrap(), "s3cr3t");
        for script in ["echo s3cr3t; exit 3", "echo; echo s3cr3t", "printf '\\377s3cr3t'", "yes s3cr3t"] {
            let why = run(script, timeout).unwrap_err();
            assert!(why.contains("`sh`") && !why.contains("s3cr3t"), "{why}");
        }
        assert!(run("exit 3", timeout).unwrap_err().contains('3'));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        for script in ["sleep 100", "exec >&-; sleep 100"] {
            let why = run(script, Duration::from_millis(200)).unwrap_err();
            assert!(why.contains("did not end"), "{why}");
        }
    }

    #[test]
    fn a_command_that_is_no_program_is_not_shown() {
        let nothing = [Zeroizing::new("s3cr3t-that-is-no-program".to_owned())];
        let why = first_line_of(&nothing, Duration::from_secs(1)).map(drop).unwrap_err();
        assert!(why.contains("can't be run") && !why.contains("s3cr3t"), "{why}");
    }
}
