#!/usr/bin/env python3
"""Draws the picture of the README: what `keysunset demo` prints, as an SVG on standard output.

    cargo build && docs/picture.py target/debug/keysunset > docs/picture.svg

The same program gives the same bytes: the clock of the run is fixed, and the world of the demo has a fixed seed.
"""

import os
import re
import subprocess
import sys
import tempfile
from html import escape

# The time of reports/example.
NOW = "1750000000"
COLUMN, LINE, SIZE, MARGIN, BAR = 8.4, 19, 14, 16, 28
BACKGROUND, FOREGROUND, BORDER = "#1b1f24", "#e6edf3", "#57606a"
NORMAL = ["#6e7681", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#e6edf3"]
BRIGHT = ["#8b949e", "#ffa198", "#a5f0b0", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#ffffff"]


def demo(program):
    """The output of the demo, with colours."""
    arguments = [os.path.abspath(program), "demo", "--color", "always"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {"SOURCE_DATE_EPOCH": NOW, "HOME": folder, "TERM": "xterm"}
        ran = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, check=True)
    return ran.stdout.decode().splitlines()


def styled(style, code):
    """The style after one SGR code: (colour, bold)."""
    colour, bold = style
    if code == 0:
        return FOREGROUND, False
    if code == 1:
        return colour, True
    if code == 2:
        return BRIGHT[0], bold
    if code == 22:
        return (FOREGROUND if colour == BRIGHT[0] else colour), False
    if code == 39:
        return FOREGROUND, bold
    if 30 <= code <= 37:
        return NORMAL[code - 30], bold
    if 90 <= code <= 97:
        return BRIGHT[code - 90], bold
    raise SystemExit(f"picture.py cannot draw the escape code {code}")


def runs(line, style):
    """The parts of a line of one style each, and the style at its end."""
    parts = []
    for index, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", line)):
        if index % 2 == 0:
            parts.append((part, style))
        else:
            for code in part.split(";"):
                style = styled(style, int(code or 0))
    return parts, style


def text(column, row, part, colour, bold):
    """A text element for each group of words; its length is fixed, so that columns are aligned in every font."""
    weight = ' font-weight="bold"' if bold else ""
    y = BAR + MARGIN + row * LINE + SIZE
    for words in re.finditer(r"\S+( \S+)*", part):
        x = MARGIN + (column + words.start()) * COLUMN
        length = f'textLength="{len(words[0]) * COLUMN:.1f}" lengthAdjust="spacingAndGlyphs"'
        yield f'<text x="{x:.1f}" y="{y}" {length} fill="{colour}"{weight}>{escape(words[0])}</text>'


def picture(command, lines):
    """The SVG of a terminal in which this command printed these lines."""
    drawn, widest, style = [], 0, (FOREGROUND, False)
    for row, line in enumerate([f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m", *lines]):
        column, (parts, style) = 0, runs(line, style)
        for part, (colour, bold) in parts:
            drawn += text(column, row, part, colour, bold)
            column += len(part)
        widest = max(widest, column)
    width = round(2 * MARGIN + widest * COLUMN)
    height = BAR + 2 * MARGIN + (len(lines) + 1) * LINE
    dots = (f'<circle cx="{20 + 18 * i}" cy="18" r="5" fill="{BORDER}"/>' for i in range(3))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-size="{SIZE}" '
        f"font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">",
        f"<title>A terminal with the output of {command}</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{BACKGROUND}" '
        f'stroke="{BORDER}"/>',
        *dots,
        *drawn,
        "</svg>",
        "",
    ])


if __name__ == "__main__":
    sys.stdout.write(picture("keysunset demo", demo(sys.argv[1])))
