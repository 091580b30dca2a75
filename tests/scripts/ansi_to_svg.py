#!/usr/bin/env python3
"""Converts a terminal capture with ANSI colours (`tmux capture-pane -p -e`) on standard input to an SVG on standard output.

    tmux capture-pane -p -e | ansi_to_svg.py COLUMNS TITLE > picture.svg
"""

import re
import sys
from html import escape
from unicodedata import combining, east_asian_width

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.4, 18, 14, 12
BACKGROUND, FOREGROUND = "#16181d", "#d7dae0"
# The 16 named colours; the console uses no others.
PALETTE = ["#16181d", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf",
           "#6b7280", "#f07c85", "#a8d389", "#f5d08b", "#71bfff", "#d688ed", "#66c6d2", "#ffffff"]
ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m")
OTHER_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-ln-z]|[()].|\].*?(?:\x07|\x1b\\))")


class Style:
    """Colours and attributes that are in force."""

    def __init__(self):
        self.foreground = self.background = None
        self.bold = self.dim = self.reverse = self.underline = False

    def apply(self, codes):
        """Follows one SGR sequence."""
        codes = [int(code or 0) for code in re.split("[;:]", codes)]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 4: "underline", 7: "reverse"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif code in (24, 27):
                setattr(self, {24: "underline", 27: "reverse"}[code], False)
            elif code in (38, 48):
                colour = indexed(codes)
                setattr(self, "foreground" if code == 38 else "background", colour)
            elif code == 39:
                self.foreground = None
            elif code == 49:
                self.background = None
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.foreground = PALETTE[code - 30 if code < 90 else code - 82]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.background = PALETTE[code - 40 if code < 100 else code - 92]

    def key(self):
        """Fill, background, weight, opacity and decoration of a span."""
        foreground, background = self.foreground or FOREGROUND, self.background
        if self.reverse:
            foreground, background = background or BACKGROUND, foreground
        return foreground, background, self.bold, self.dim, self.underline


def indexed(codes):
    """The colour of `38;5;N` or `38;2;R;G;B`, whose rest is in `codes`."""
    if codes and codes.pop(0) == 2:
        red, green, blue = (codes.pop(0) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    number = codes.pop(0)
    if number < 16:
        return PALETTE[number]
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    levels = [0, 95, 135, 175, 215, 255]
    number -= 16
    return "#" + "".join(f"{levels[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def cells(text):
    """Columns that a text takes."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def spans(line, style):
    """The spans of one line: first column, text, style."""
    column = 0
    for number, part in enumerate(ESCAPE.split(OTHER_ESCAPE.sub("", line))):
        if number % 2:
            style.apply(part)
        elif part:
            yield column, part, style.key()
            column += cells(part)


def main():
    columns, title = int(sys.argv[1]), sys.argv[2]
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" '
        'role="img" aria-labelledby="title">',
        f'<title id="title">{escape(title)}</title>',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{FONT_SIZE}" xml:space="preserve">',
    ]
    style = Style()
    for row, line in enumerate(lines):
        y = MARGIN + row * LINE_HEIGHT
        for column, text, (fill, background, bold, dim, underline) in spans(line, style):
            x, wide = MARGIN + column * CELL_WIDTH, cells(text) * CELL_WIDTH
            if background:
                out.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{LINE_HEIGHT}" fill="{background}"/>')
            # Leading and trailing blanks need no text, and a length in cells keeps the columns under any font.
            blank = len(text) - len(text.lstrip(" "))
            shown = text.strip(" ")
            if not shown:
                continue
            attributes = f'fill="{fill}"' + (' font-weight="bold"' if bold else "") + (' opacity="0.65"' if dim else "")
            attributes += ' text-decoration="underline"' if underline else ""
            out.append(
                f'<text x="{x + blank * CELL_WIDTH:.1f}" y="{y + 13.5}" textLength="{cells(shown) * CELL_WIDTH:.1f}" '
                f'{attributes}>{escape(shown)}</text>'
            )
    print("\n".join(out + ["</g>", "</svg>"]))


main()
