//! The templates of a plan, which are part of the program.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::output::text;

const TEMPLATES: [(&str, &str); 5] = [
    (PAGE, include_str!("../../templates/plan.md.j2")),
    (SCRIPT, include_str!("../../templates/plan/owner.sh.j2")),
    (LETTER, include_str!("../../templates/plan/letter.md.j2")),
    (TERRAFORM, include_str!("../../templates/plan/terraform.tf.j2")),
    (TERRAFORM_OWNER, include_str!("../../templates/plan/owner.tf.j2")),
];
pub(super) const PAGE: &str = "plan.md.j2";
pub(super) const SCRIPT: &str = "owner.sh.j2";
pub(super) const LETTER: &str = "letter.md.j2";
pub(super) const TERRAFORM: &str = "terraform.tf.j2";
pub(super) const TERRAFORM_OWNER: &str = "owner.tf.j2";
/// The library of the scripts.
pub(super) const LIBRARY: &str = include_str!("../../templates/plan/lib.sh");

/// All of them, with their filters: `code` for a code span of Markdown, `short` for its length, `sh` for a word of
/// bash, `hcl` for a string of Terraform, `plain` for an id in a name.
pub(super) struct Templates(Environment<'static>);

impl Templates {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        environment
            .set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
        environment.add_filter("code", |text: String| text::code(&text));
        environment.add_filter("code_in_prose", |text: String| text::code_in_prose(&text));
        environment.add_filter("short", |text: String, length: usize| text::shortened(&text, length));
        environment.add_filter("hcl", |value: Value| hcl(&value.to_string()));
        environment.add_filter("plain", |value: Value| plain(&value.to_string()));
        environment.add_filter("sh", |value: Value| quoted(&value.to_string()));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    pub(super) fn render(&self, name: &str, context: &impl Serialize) -> Result<String, minijinja::Error> {
        self.0.get_template(name)?.render(Serde(context))
    }
}

/// A word of bash on one line, in which nothing is expanded and nothing changes how the line looks: in single quotes, or
/// where a character is not printable ASCII, in the quotes that have escapes.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace('\0', "");
    if text.chars().all(|one| one == ' ' || one.is_ascii_graphic()) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let byte = |byte: u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\{other:03o}"),
    };
    format!("$'{}'", text.bytes().map(byte).collect::<String>())
}

/// A quoted string of HCL on one line, in which nothing is a template and nothing changes how the line looks.
fn hcl(text: &str) -> String {
    let text = text.replace('\0', "");
    let next = text.chars().skip(1).chain([' ']);
    let escaped = text.chars().zip(next).map(|(one, next)| match one {
        '"' | '\\' => format!("\\{one}"),
        // Before `{` they would begin a template.
        '$' | '%' if next == '{' => format!("\\u{:04x}", u32::from(one)),
        ' '..='~' => one.to_string(),
        other if u32::from(other) > 0xffff => format!("\\U{:08x}", u32::from(other)),
        other => format!("\\u{:04x}", u32::from(other)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Letters, digits, `-` and `_` of a text: an id that came from somewhere else ends no comment and no name.
fn plain(text: &str) -> String {
    text.chars().filter(|one| one.is_ascii_alphanumeric() || "-_".contains(*one)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn bash_reads_a_quoted_word_as_it_was() {
        for text in
            ["", "ci", "it's", "$(id) `id` \\ \"", "a\nb\tc\u{7f}", "'\u{202e}é\u{1b}[31m", "\\'\u{1}0"]
        {
            let word = quoted(text);
            assert!(!word.contains('\n') && word.is_ascii(), "{word}");
            let Ok(output) = Command::new("bash").args(["-c", &format!("printf %s {word}")]).output() else {
                return;
            };
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{word}");
        }
        assert_eq!(quoted("a\0b"), "'ab'");
    }

    #[test]
    fn a_string_of_hcl_is_on_one_line_and_has_no_template() {
        for (text, quoted) in [
            ("ci", r#""ci""#),
            ("a\"b\\", r#""a\"b\\""#),
            ("${x} %{if} $${y} 5%", r#""\u0024{x} \u0025{if} $\u0024{y} 5%""#),
            ("a\n\t\u{202e}\u{1f600}\0", r#""a\u000a\u0009\u202e\U0001f600""#),
        ] {
            assert_eq!(hcl(text), quoted);
        }
        assert_eq!(plain("5af9\n\"x\"_-"), "5af9x_-");
    }
}
