//! The data of the page: all keys as JSON, which the script reads. Rows go to disk as they pass, by severity and by the
//! quarter of the last use, and from there into the page, the worst first.
//!
//! A row is a list: the number of the owner, key id, last 12 digits, description, `decision * 32 + severity * 4 + verdict` with
//! the decision of the plan from 1, flags, uses, created and last used in seconds since 1970, and only where there is one of
//! them: number of the waiver, the reason of a last use that cannot be one. An owner is written once.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use super::period::{Period, RANKS};
use crate::bytes::{BACKSLASH, CONTROL, MARKUP, QUOTE, WIDE, kinds};
use crate::model::{PersonalKey, Suffix};
use crate::output::{RowFormat, add_quoted, add_row};
use crate::plan::Decision;
use crate::policy::{Judgement, Severity, Verdict};
use crate::printable::is_unprintable;
use crate::report::spill::SpillFile;
use crate::report::{FormatError, OutputFile, Report, Row, RowContext};
use crate::waivers::{Waiver, WaiverStatus};

/// Maximum keys in the page, the worst ones.
pub(super) const LIMIT: u64 = 100_000;
/// The section of the owners, behind those of the keys.
const OWNERS: usize = Severity::ALL.len() * RANKS;
/// The largest count that a number of JavaScript holds exactly. A larger one is a text.
const LARGEST: u64 = (1 << 53) - 1;
/// Of a severity with a verdict, in the number of a row.
const KINDS: usize = 32;

/// The keys of all deployments on their way into the page. In memory are only organizations and waivers.
pub(super) struct Data {
    spill: SpillFile,
    keys: u64,
    deployments: Vec<String>,
    /// The last owner, and how many there are.
    owner: Option<(Option<String>, Option<String>)>,
    owners: u64,
    /// By deployment and id.
    organizations: Numbers<(usize, String)>,
    /// By their line of the waiver file and by target.
    waivers: Numbers<(u64, String)>,
    waiver_texts: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Data {
    /// `folder` is the folder of the report.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            spill: SpillFile::new_in(folder)?,
            keys: 0,
            deployments: Vec::new(),
            owner: None,
            owners: 0,
            organizations: Numbers::default(),
            waivers: Numbers::default(),
            waiver_texts: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// How many keys the page has.
    pub(super) fn listed(&self) -> u64 {
        self.keys.min(LIMIT)
    }

    pub(super) fn begin(&mut self, context: &RowContext) {
        self.deployments.push(context.run.deployment.clone());
        self.owner = None;
    }

    pub(super) fn add(
        &mut self,
        context: &RowContext,
        row: &Row,
        (key, judged): (&PersonalKey, &Judgement),
        period: Period,
    ) -> Result<(), FormatError> {
        self.keys += 1;
        self.add_owner(row)?;
        let waiver = row.waiver.map(|waiver| self.waiver(waiver)).transpose()?;
        let is_doubtful = key.last_used.is_some() && key.last_use().is_none();
        let note = is_doubtful.then_some(&*judged.reason);
        let decision = row.decided(context).map(|it| it.decision);
        let line =
            Line { owner: self.owners, key, judged, decision, is_finding: row.is_finding, waiver, note };
        self.buffer.clear();
        json(&mut self.buffer, &line)?;
        self.buffer.push(b'\n');
        let section = judged.severity as usize * RANKS + period.rank();
        Ok(self.spill.write(section, &self.buffer)?)
    }

    /// Writes the owner of a row, if the row before was of another one.
    fn add_owner(&mut self, row: &Row) -> Result<(), FormatError> {
        let user = &row.result.user;
        if self.owner.as_ref().is_some_and(|(id, name)| (id, name) == (&user.id, &user.username)) {
            return Ok(());
        }
        self.owner = Some((user.id.clone(), user.username.clone()));
        self.owners += 1;
        let deployment = self.deployments.len() - 1;
        let numbers = &mut self.organizations;
        let organizations = user.origin.organizations().map(|id| numbers.of((deployment, id.to_owned())));
        let organizations: Vec<_> = organizations.collect();
        self.buffer.clear();
        json(&mut self.buffer, &(self.owners, deployment, &user.id, &user.username, organizations))?;
        self.buffer.push(b'\n');
        Ok(self.spill.write(OWNERS, &self.buffer)?)
    }

    /// The number of a waiver, from 1.
    fn waiver(&mut self, (waiver, status): (&Waiver, WaiverStatus)) -> Result<usize, FormatError> {
        let number = self.waivers.of((waiver.line, waiver.target.to_string()));
        if number == self.waiver_texts.len() {
            let Waiver { expires, owner, reason, ticket, .. } = waiver;
            let mut text = Vec::new();
            json(&mut text, &(status, expires, owner, reason, ticket))?;
            self.waiver_texts.push(text);
        }
        Ok(number + 1)
    }

    /// Writes the object.
    pub(super) fn write(mut self, file: &mut OutputFile, report: &Report) -> Result<(), FormatError> {
        let severities: Vec<_> = Severity::ALL.iter().map(|it| (it, it.action())).collect();
        let mut head = format!("{{\"version\":1,\"total\":{},\"deployments\":", self.keys).into_bytes();
        json(&mut head, &self.deployments)?;
        head.extend(b",\"severities\":");
        json(&mut head, &severities)?;
        head.extend(b",\"verdicts\":");
        json(&mut head, &Verdict::ALL)?;
        head.extend(b",\"decisions\":");
        json(&mut head, &Decision::ALL)?;
        head.extend(b",\"organizations\":");
        json(&mut head, &self.organizations(report))?;
        head.extend(b",\"waivers\":[");
        head.extend(self.waiver_texts.join(&b','));
        head.extend(b"],\"rows\":[");
        file.write_all(&head)?;
        let owners = self.write_rows(file)?;
        file.write_all(b"\n],\"owners\":[")?;
        self.write_owners(file, &owners)?;
        Ok(file.write_all(b"\n]}")?)
    }

    /// Writes the rows up to the limit; returns the numbers of their owners, sorted.
    fn write_rows(&mut self, file: &mut OutputFile) -> io::Result<Vec<u64>> {
        let (mut written, mut owners, mut line) = (0, Vec::new(), Vec::new());
        for section in 0..OWNERS {
            let mut lines = self.spill.read(section)?;
            while written < LIMIT && next_line(&mut lines, &mut line)? {
                owners.push(first_number(&line));
                file.write_all(if written == 0 { b"\n" } else { b",\n" })?;
                file.write_all(&line)?;
                written += 1;
            }
        }
        owners.sort_unstable();
        owners.dedup();
        Ok(owners)
    }

    /// Writes the owners of these numbers.
    fn write_owners(&mut self, file: &mut OutputFile, numbers: &[u64]) -> io::Result<()> {
        let (mut lines, mut line, mut separator) = (self.spill.read(OWNERS)?, Vec::new(), "\n");
        while next_line(&mut lines, &mut line)? {
            if numbers.binary_search(&first_number(&line)).is_ok() {
                file.write_all(separator.as_bytes())?;
                file.write_all(&line)?;
                separator = ",\n";
            }
        }
        Ok(())
    }

    /// Deployment, id and name of each, in the order of their numbers.
    fn organizations<'a>(&'a self, report: &'a Report) -> Vec<(usize, &'a str, Option<&'a str>)> {
        let mut all = vec![(0, "", None); self.organizations.0.len()];
        for ((deployment, id), number) in &self.organizations.0 {
            let known = report.deployments.get(*deployment).and_then(|it| it.organizations.as_deref());
            let known = known.unwrap_or_default();
            let at = known.binary_search_by(|it| it.organization.id.cmp(id)).ok();
            let name = at.and_then(|at| known[at].organization.name.as_deref());
            all[*number] = (*deployment, id.as_str(), name);
        }
        all
    }
}

/// Reads the next line without its end; false after the last one.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let is_line = lines.read_until(b'\n', line)? > 0;
    line.pop_if(|byte| *byte == b'\n');
    Ok(is_line)
}

/// The number after the bracket that a line begins with.
fn first_number(line: &[u8]) -> u64 {
    let digits = line.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Numbers in the order of the first use, from 0.
struct Numbers<T>(BTreeMap<T, usize>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> Numbers<T> {
    fn of(&mut self, item: T) -> usize {
        let next = self.0.len();
        *self.0.entry(item).or_insert(next)
    }
}

struct Line<'a> {
    owner: u64,
    key: &'a PersonalKey,
    judged: &'a Judgement,
    decision: Option<Decision>,
    is_finding: bool,
    waiver: Option<usize>,
    note: Option<&'a str>,
}

impl Line<'_> {
    /// Decision, severity and verdict in one number.
    fn kind(&self) -> usize {
        let Judgement { severity, verdict, .. } = self.judged;
        let decision = self.decision.map_or(0, |decision| decision as usize + 1);
        decision * KINDS + *severity as usize * Verdict::ALL.len() + *verdict as usize
    }

    /// 0 to 2: unknown, enabled, disabled; 4: used by this audit; 8: a finding.
    fn flags(&self) -> u8 {
        let state = match self.key.enabled {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        state + 4 * u8::from(self.key.auditing) + 8 * u8::from(self.is_finding)
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { owner, key, waiver, note, .. } = self;
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(owner)?;
        list.serialize_element(&key.id)?;
        list.serialize_element(key.suffix.as_ref().map_or("", Suffix::as_str))?;
        list.serialize_element(&key.description)?;
        list.serialize_element(&self.kind())?;
        list.serialize_element(&self.flags())?;
        match key.used_count {
            Some(count) if count > LARGEST => list.serialize_element(&count.to_string())?,
            count => list.serialize_element(&count)?,
        }
        list.serialize_element(&key.created_at.map(|time| time.timestamp()))?;
        list.serialize_element(&key.last_use().map(|time| time.timestamp()))?;
        if waiver.is_some() || note.is_some() {
            list.serialize_element(&waiver.unwrap_or(0))?;
            list.serialize_element(note)?;
        }
        list.end()
    }
}

/// Adds JSON that can be in an element `script`: no text in it ends the element or begins a comment, and what is invisible is
/// written by its number.
fn json(to: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    Ok(add_row(to, InScript, value)?)
}

#[derive(Clone, Copy)]
struct InScript;

impl RowFormat for InScript {
    fn text(self, row: &mut Vec<u8>, text: &str) -> Result<(), serde_json::Error> {
        if kinds(text) & (CONTROL | WIDE | QUOTE | BACKSLASH | MARKUP) == 0 {
            add_quoted(row, text);
            return Ok(());
        }
        text.serialize(&mut serde_json::Serializer::with_formatter(row, Escaped))
    }
}

struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut copied = 0;
        for (at, c) in text.char_indices() {
            if matches!(c, '<' | '>' | '&') || is_unprintable(c) {
                out.write_all(&text.as_bytes()[copied..at])?;
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
                copied = at + c.len_utf8();
            }
        }
        out.write_all(&text.as_bytes()[copied..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_the_script_element_and_every_text_is_read_back() {
        for text in [
            "</script><b>",
            "<!--<script>",
            "]]>&amp;",
            "a\u{2028}b\u{2029}c",
            "\u{202e}\u{feff}\u{e0041}\u{0}\n\"\\'",
            "🚀 é",
            "",
        ] {
            let mut out = Vec::new();
            json(&mut out, &text).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert!(!out.contains(['<', '>', '&']) && !out.chars().any(is_unprintable), "{out}");
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text, "{out}");
        }
    }

    #[test]
    fn a_line_begins_with_the_number_of_its_owner() {
        assert_eq!(first_number(b"[120,\"a\",7]"), 120);
        assert_eq!(first_number(b""), 0);
    }
}
