//! The search of bytes as text, in any encoding. What is no long word costs nothing: `blocks` finds those.

use std::ops::Range;
use std::sync::Arc;

use super::archive::compression;
use super::blocks::{BLOCK, WORD, next_block};
use super::decode::base64::{self, Blob, Joined};
use super::decode::escape::{self, Decoded};
use super::decode::wide::Wide;
use super::decode::{Chain, Encoding, MAX_DEPTH, lines};
use super::shape;
use super::signs::Signs;
use super::suffixes::Suffixes;
use crate::place::Class;

/// Encoded text is decoded in parts of this size, so that memory does not grow with it; each part has the end of the one
/// before, so that a key is whole in one of them.
const PART: usize = 4 << 20;
/// Of escapes, whose decoder needs more memory.
const ESCAPED_PART: usize = 64 << 10;
const OVERLAP: usize = 8 << 10;
/// Characters that show whether an archive is in base64, or in base64 in base64.
const HEAD: usize = 24;

/// A shape in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Of the key, or of what it is encoded in.
    pub(super) range: Range<usize>,
    /// The last 12 digits.
    pub(super) suffix: u64,
    /// `None` if the run does not have it.
    pub(super) class: Option<Class>,
    /// What it is encoded in.
    pub(super) chain: Chain,
    /// Whether a sign of the service is near.
    pub(super) sign: bool,
}

/// An archive in base64.
#[derive(Debug)]
pub(super) struct Archive {
    /// Of the base64.
    pub(super) range: Range<usize>,
    /// What the archive is encoded in.
    pub(super) chain: Chain,
    pub(super) content: Vec<u8>,
    /// Whether the content has not its end.
    pub(super) is_cut: bool,
}

/// Which shapes are of interest.
#[derive(Debug, Clone)]
pub(super) enum Wanted<'a> {
    /// Those of the run.
    Known(&'a Suffixes),
    /// Those of the run, and others near a sign.
    Strangers(&'a Suffixes, Arc<Signs>),
    /// All, to mask them.
    All,
}

/// What a search found, and what it needs to know of the place of its bytes.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) matches: Vec<Match>,
    pub(super) archives: Vec<Archive>,
    /// Where an archive begins in base64 that the end of the bytes cuts.
    pub(super) cut: Option<usize>,
}

/// Whether bytes begin where the text does, and where they end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    pub(super) start: bool,
    pub(super) end: End,
}

/// Where bytes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With the text.
    Text,
    /// Before it: a larger window has more of it.
    Window,
    /// Before it, and no window is larger.
    LargestWindow,
}

/// Searches text; keeps its buffers.
#[derive(Debug)]
pub(super) struct TextSearch<'a> {
    wanted: Wanted<'a>,
    archives: bool,
    buffers: Vec<Vec<u8>>,
}

/// The bytes of a search, and its state.
struct Layer<'b> {
    bytes: &'b [u8],
    edges: Edges,
    depth: usize,
    /// Where base64 was read to its end.
    base64_until: usize,
    /// The positions of signs, once they are needed.
    signs: Option<Vec<Range<usize>>>,
}

impl<'a> TextSearch<'a> {
    /// `archives`: whether to take those out of base64.
    pub(super) fn new(wanted: Wanted<'a>, archives: bool) -> Self {
        Self { wanted, archives, buffers: Vec::new() }
    }

    /// Finds what is in bytes.
    pub(super) fn search(&mut self, bytes: &[u8], edges: Edges) -> Findings {
        let mut findings = Findings::default();
        self.layer(bytes, edges, 0, &mut findings);
        findings
    }

    fn layer(&mut self, bytes: &[u8], edges: Edges, depth: usize, findings: &mut Findings) {
        let mut layer = Layer { bytes, edges, depth, base64_until: 0, signs: None };
        let (mut at, mut floor) = (0, 0);
        while let Some(block) = next_block(bytes, at) {
            floor = self.run(&mut layer, block, floor, findings);
            at = floor.max(block + BLOCK);
        }
        lines::each(bytes, |split| {
            shape::each(&split.text, 0..split.text.len(), |range, suffix| {
                if let Some(source) = split.source(&range) {
                    let chain = Chain::default().within(split.encoding);
                    self.found(&mut layer, source, suffix, chain, findings);
                }
            });
        });
    }

    /// Looks at what is around a block, and gives the end of it; `floor` where nothing is, since a text may begin in the block.
    fn run(&mut self, layer: &mut Layer, block: usize, floor: usize, findings: &mut Findings) -> usize {
        let bytes = layer.bytes;
        let end_of_block = block + BLOCK;
        if bytes[block..end_of_block].contains(&0) {
            return match Wide::new(bytes, block, floor) {
                Some(wide) if layer.depth < MAX_DEPTH => self.wide(layer, &wide, findings),
                _ => floor,
            };
        }
        let is_part = |byte: &&u8| WORD[usize::from(**byte)];
        let start = block - bytes[floor..block].iter().rev().take_while(is_part).count();
        let end = end_of_block + bytes[end_of_block..].iter().take_while(is_part).count();
        let is_long_enough = end - start >= shape::DIGITS;
        if is_long_enough {
            self.shapes(layer, start..end, findings);
        }
        // A short line may be one of several of base64.
        let is_line = || matches!(bytes.get(end), Some(b'\n' | b'\r'));
        if layer.depth < MAX_DEPTH && (is_long_enough || is_line()) {
            self.base64(layer, start..end, findings);
        }
        end
    }

    fn shapes(&mut self, layer: &mut Layer, run: Range<usize>, findings: &mut Findings) {
        let bytes = layer.bytes;
        shape::each(bytes, run.clone(), |range, suffix| {
            let mut chain = Chain::default();
            if shape::follows_equals(bytes, range.start) {
                chain = chain.within(Encoding::QuotedPrintable);
            }
            self.found(layer, range, suffix, chain, findings);
        });
        if memchr::memchr3(b'%', b'\\', b'&', &bytes[run.clone()]).is_none() {
            return;
        }
        for part in parts(run, ESCAPED_PART) {
            let Some(decoded) = Decoded::new(&bytes[part.clone()]) else { continue };
            shape::each(&decoded.text, 0..decoded.text.len(), |range, suffix| {
                let source = decoded.source(&range);
                let source = source.start + part.start..source.end + part.start;
                let chain = Chain::default().within(escape::kind(bytes, &source));
                self.found(layer, source, suffix, chain, findings);
            });
        }
    }

    fn found(
        &self,
        layer: &mut Layer,
        range: Range<usize>,
        suffix: u64,
        chain: Chain,
        findings: &mut Findings,
    ) {
        let class = match &self.wanted {
            Wanted::Known(suffixes) | Wanted::Strangers(suffixes, _) => suffixes.class(suffix),
            Wanted::All => Some(Class::Stranger),
        };
        let mut found = Match { range, suffix, class, chain, sign: false };
        if let (None, Wanted::Strangers(_, signs)) = (class, &self.wanted) {
            if Signs::is_other_key(layer.bytes, found.range.start) {
                return;
            }
            layer.look_for_sign(&mut found, signs);
        }
        if class.is_some() || found.sign || (layer.depth > 0 && matches!(self.wanted, Wanted::Strangers(..)))
        {
            findings.matches.push(found);
        }
    }

    /// Searches decoded text, and takes what was found back to the layer.
    fn nested(
        &mut self,
        layer: &mut Layer,
        text: &[u8],
        edges: Edges,
        findings: &mut Findings,
        source: impl Fn(&Range<usize>) -> (Range<usize>, Encoding),
    ) {
        let mut inner = Findings::default();
        self.layer(text, edges, layer.depth + 1, &mut inner);
        for mut found in inner.matches {
            let (range, encoding) = source(&found.range);
            found.range = range;
            found.chain = found.chain.within(encoding);
            if let (None, false, Wanted::Strangers(_, signs)) = (found.class, found.sign, &self.wanted) {
                layer.look_for_sign(&mut found, signs);
            }
            if found.class.is_some() || found.sign || layer.depth > 0 {
                findings.matches.push(found);
            }
        }
        for archive in inner.archives {
            let (range, encoding) = source(&archive.range);
            findings.archives.push(Archive { range, chain: archive.chain.within(encoding), ..archive });
        }
    }

    /// Decodes characters between zeros, and gives their end.
    fn wide(&mut self, layer: &mut Layer, wide: &Wide, findings: &mut Findings) -> usize {
        let mut text = self.buffers.pop().unwrap_or_default();
        let (width, run) = (wide.width(), &wide.range);
        let characters = run.len().div_ceil(width);
        for part in parts(0..characters, PART) {
            let first = run.start + part.start * width;
            text.clear();
            text.extend(layer.bytes[first..run.end].iter().step_by(width).take(part.len()));
            let end = if part.end == characters { End::Text } else { End::LargestWindow };
            let edges = Edges { start: part.start == 0, end };
            self.nested(layer, &text, edges, findings, |range| {
                let start = wide.first_byte(first + range.start * width);
                (start..start + range.len() * width, wide.encoding)
            });
        }
        self.buffers.push(text);
        run.end
    }

    fn base64(&mut self, layer: &mut Layer, run: Range<usize>, findings: &mut Findings) {
        let bytes = layer.bytes;
        let mut at = run.start.max(layer.base64_until);
        while at < run.end {
            let Some(start) = bytes[at..run.end].iter().position(|byte| base64::is_base64(*byte)) else {
                return;
            };
            let start = at + start;
            let blob = Blob::new(bytes, start, layer.base64_until);
            if blob.is_long_enough() {
                // The lines before an archive may be those of something else.
                let lines = 0..blob.lines.len();
                let archive = lines.clone().find(|line| self.archive(layer, &blob, *line, findings));
                self.blob(layer, &blob.up_to_line(archive.unwrap_or(lines.end)), findings);
            }
            layer.base64_until = blob.end();
            at = blob.end();
        }
    }

    /// Decodes the lines together and each alone: each may be a text of its own.
    fn blob(&mut self, layer: &mut Layer, blob: &Blob, findings: &mut Findings) {
        if blob.lines.len() > 1 {
            for line in (0..blob.lines.len()).map(|line| blob.line(line)).filter(Blob::is_long_enough) {
                self.lines(layer, &line, findings);
            }
        }
        if blob.is_long_enough() {
            self.lines(layer, blob, findings);
        }
    }

    fn lines(&mut self, layer: &mut Layer, blob: &Blob, findings: &mut Findings) {
        if let [line] = &blob.lines[..] {
            for part in parts(line.clone(), PART) {
                let text = &layer.bytes[part.clone()];
                self.joined(layer, &Joined { text, lines: &[(0, part.start)] }, blob, findings);
            }
            return;
        }
        let mut text = self.buffers.pop().unwrap_or_default();
        let mut lines = Vec::new();
        text.clear();
        for line in &blob.lines {
            for start in line.clone().step_by(PART) {
                lines.push((text.len(), start));
                text.extend_from_slice(&layer.bytes[start..line.end.min(start + PART)]);
                if text.len() >= PART {
                    let joined = Joined { text: &text, lines: &lines };
                    self.joined(layer, &joined, blob, findings);
                    lines = joined.lines_from(text.len() - OVERLAP);
                    text.drain(..text.len() - OVERLAP);
                }
            }
        }
        self.joined(layer, &Joined { text: &text, lines: &lines }, blob, findings);
        self.buffers.push(text);
    }

    fn joined(&mut self, layer: &mut Layer, joined: &Joined, blob: &Blob, findings: &mut Findings) {
        let mut decoded = self.buffers.pop().unwrap_or_default();
        let bytes = layer.bytes;
        let whole = blob.start()..blob.end();
        let is_start = joined.lines[0].1 == whole.start && layer.is_start(whole.start);
        let is_end = joined.source(joined.text.len() - 1) + 1 == whole.end;
        let end = if is_end { End::Text } else { End::LargestWindow };
        base64::each_part(joined.text, &mut decoded, |first, text| {
            let edges = Edges { start: is_start && first == 0, end };
            self.nested(layer, text, edges, findings, |range| {
                let characters = base64::characters(first, range);
                let last = characters.end.min(joined.text.len()) - 1;
                let source = joined.source(characters.start)..joined.source(last) + 1;
                let encoding = base64::alphabet(bytes, &source, &whole);
                (source, encoding)
            });
        });
        self.buffers.push(decoded);
    }

    /// Takes an archive out of base64 from a line on; whether there is one.
    fn archive(&mut self, layer: &Layer, blob: &Blob, line: usize, findings: &mut Findings) -> bool {
        let start = blob.lines[line].start;
        if !self.archives || !layer.is_start(start) {
            return false;
        }
        let mut head = Vec::new();
        let text: Vec<u8> = blob.characters(layer.bytes, line).take(HEAD).collect();
        base64::decode(&text, &mut head);
        let is_archive = compression::is_compressed(&head);
        let is_nested = || {
            let mut inner = Vec::new();
            base64::decode(&head, &mut inner);
            head.iter().all(|byte| base64::is_base64(*byte)) && compression::is_compressed(&inner)
        };
        if !is_archive && !is_nested() {
            return false;
        }
        let is_cut = blob.end() == layer.bytes.len() && layer.edges.end != End::Text;
        if is_cut && layer.edges.end == End::Window && layer.depth == 0 {
            findings.cut = Some(findings.cut.map_or(start, |cut| cut.min(start)));
        } else if is_archive {
            let text: Vec<u8> = blob.characters(layer.bytes, line).collect();
            let mut content = Vec::new();
            base64::decode(&text, &mut content);
            let range = start..blob.end();
            let chain = Chain::default().within(base64::alphabet(layer.bytes, &range, &range));
            findings.archives.push(Archive { range, chain, content, is_cut });
        }
        is_archive
    }
}

impl Layer<'_> {
    /// Whether what begins at a position was not begun before the bytes.
    fn is_start(&self, at: usize) -> bool {
        at > 0 || self.edges.start
    }

    fn look_for_sign(&mut self, found: &mut Match, signs: &Signs) {
        let positions = self.signs.get_or_insert_with(|| signs.positions(self.bytes));
        found.sign = Signs::is_near(positions, self.bytes, &found.range);
    }
}

/// Parts of a range, each with the end of the one before.
fn parts(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = range;
    let last = end.saturating_sub(OVERLAP).max(start + 1);
    (start..last).step_by(size - OVERLAP).map(move |start| start..end.min(start + size))
}
