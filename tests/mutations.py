"""Sound files turned into broken ones: byte by byte, cell by cell, key by key."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Draw(Protocol):
    """Where choices come from: a generator of random numbers, or Hypothesis, which can shrink them."""

    def integer(self, low: int, high: int) -> int: ...

    def choice(self, options: Sequence[T]) -> T: ...


class Rolled:
    """Choices of a generator."""

    def __init__(self, seed: int | str):
        self.generator = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self.generator.randint(low, high)

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self.generator.random() * len(options))]


class Drawn:
    """Choices of Hypothesis."""

    def __init__(self, data: st.DataObject):
        self.data = data

    def integer(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))

    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]


TOKENS = [b"\t", b";", b",", b"\n", b"\r\n", b"nan", b"inf", b"-1", b"1e999", b"N/A", b"\x00", b"\xff\xfe", b'"', b"#"]
TOKENS += [
    b"*** DATA END ***",
    b"***",
    b"Depth[um]",
    b"-",
    b"1_0",
    "\u0665".encode(),
    b"\x1a",
    b"\xe9",
    b"(",
    b"|",
    b" ",
]
TOKENS += [b"\xef\xbb\xbf", b"'", b"=", b"[", b"]]", b"{", b"9" * 400, b"\x85", b"\xe2\x80\xa8", b"//", b"%", b"." * 3]
CELLS = ["", " ", "nan", "inf", "-inf", "-1", "0", "-0.0", "1e-320", "1e308", "1e999", "1,5", "1.5", "1.234,5", "1,234"]
CELLS += [
    "n/a",
    "x",
    "#",
    '"',
    '"1"',
    '"1',
    "1;2",
    "1e5",
    "1d5",
    "1_0",
    "+3",
    "--",
    "%",
    "0x10",
    "\u0665",
    "1 2",
    "3" * 500,
]
CELLS += [
    "time_s",
    "Zeit (min)",
    "depth_nm",
    "Depth (Å)",
    "potential_V",
    "U [kV]",
    "K_sigma",
    "nm",
    "s",
    "µm",
    "counts",
    "(",
    "]",
]
VALUES = [
    "0",
    "-1",
    "1",
    "2",
    "0.5",
    "-0.5",
    "1e-320",
    "1e300",
    "-1e308",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "true",
    '""',
    '"x"',
]
VALUES += [
    "[]",
    "{}",
    "[1, 2]",
    "[[1]]",
    "[0.0]",
    "[1e-20, 1e-20]",
    "1979-05-27",
    "9223372036854775808",
    "1" * 400,
    "0x10",
]
VALUES += [
    '"K"',
    '"Li"',
    '["Li.sed_fwhm_eV"]',
    '"."',
    '"trace.csv"',
    '"study.toml"',
    '"\\u0000"',
    '"a/b"',
    '"' + "y" * 300 + '"',
]
VALUES += [
    "{ a = 1 }",
    "[{}]",
    '["x", 1]',
    "1" * 5000,
    "[" * 400 + "]" * 400,
    '"1.0"',
    "07:32:00",
    '"constant"',
    '"sed"',
]


def by_bytes(content: bytes, draw: Draw) -> bytes:
    """One change somewhere."""
    changed, at = bytearray(content), draw.integer(0, max(len(content) - 1, 0))
    match draw.choice(["flip", "insert", "delete", "cut", "double", "digit", "swap"]):
        case "flip":
            changed[at : at + 1] = bytes([draw.integer(0, 255)])
        case "insert":
            changed[at:at] = draw.choice(TOKENS)
        case "delete":
            del changed[at : at + draw.integer(1, 60)]
        case "cut":
            del changed[at:]
        case "double":
            changed[at:at] = changed[at : at + draw.integer(1, 200)]
        case "digit":
            changed[at : at + 1] = bytes([draw.choice(b"0123456789.-eE,;\t")])
        case "swap":
            lines = bytes(changed).split(b"\n")
            k = draw.integer(0, len(lines) - 1)
            lines[0], lines[k] = lines[k], lines[0]
            changed = bytearray(b"\n".join(lines))
    return bytes(changed)


def _lines(content: bytes, change: Callable[[list[str]], list[str]]) -> bytes:
    """Change lines, in whichever encoding they are."""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = content.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
    return "\n".join(change(text.split("\n"))).encode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")


def by_cells(content: bytes, draw: Draw) -> bytes:
    """One cell, row or column of a table becomes another, or what stands between the cells."""

    def change(lines: list[str]) -> list[str]:
        k = draw.integer(0, len(lines) - 1)
        mark = max("\t;,| ", key=lines[k].count)
        cells = lines[k].split(mark)
        j = draw.integer(0, len(cells) - 1)
        match draw.choice(["cell", "cell", "cell", "other", "row", "repeat", "mark", "decimal", "column", "units"]):
            case "cell":
                cells[j] = draw.choice(CELLS)
            case "other":
                cells[j] = draw.choice(draw.choice(lines).split(mark))
            case "row":
                return [*lines[:k], *lines[k + 1 :]]
            case "repeat":
                other = draw.integer(0, len(lines) - 1)
                return [*lines[:other], lines[k], *lines[other:]]
            case "mark":
                new = draw.choice("\t;,| ")
                return [line.replace(mark, new) for line in lines]
            case "decimal":
                return [line.replace(".", ",") for line in lines]
            case "column":
                return [mark.join(c for i, c in enumerate(line.split(mark)) if i != j) for line in lines]
            case "units":
                return [*lines[: k + 1], mark.join(draw.choice(CELLS) for _ in cells), *lines[k + 1 :]]
        lines[k] = mark.join(cells)
        return lines

    return _lines(content, change)


def by_keys(content: bytes, draw: Draw) -> bytes:
    """One key or value of a TOML file becomes another, or one of its lines goes elsewhere."""

    def change(lines: list[str]) -> list[str]:
        k = draw.integer(0, len(lines) - 1)
        key, equals, value = lines[k].partition("=")
        match draw.choice(["value", "value", "value", "inner", "key", "drop", "repeat", "move", "exchange"]):
            case "value" if equals:
                lines[k] = f"{key}= {draw.choice(VALUES)}"
            case "inner":
                words = re.split(r"(\"[^\"]*\"|[-+0-9.eE]+|[a-z_A-Z]+)", lines[k])
                words[draw.integer(0, len(words) - 1)] = draw.choice(VALUES)
                lines[k] = "".join(words)
            case "key" if equals:
                lines[k] = f"{draw.choice(lines).partition('=')[0].strip()} ={value}"
            case "drop":
                del lines[k]
            case "repeat":
                lines.insert(draw.integer(0, len(lines) - 1), lines[k])
            case "move":
                line = lines.pop(k)
                lines.insert(draw.integer(0, len(lines)), line)
            case "exchange" if equals:
                other = draw.choice(lines).partition("=")[2]
                lines[k] = f"{key}={other}"
        return lines

    return _lines(content, change)


def mutated(content: bytes, draw: Draw, ways: Sequence[Callable[[bytes, Draw], bytes]]) -> bytes:
    """One to three changes."""
    for _ in range(draw.integer(1, 3)):
        if content:
            content = draw.choice(ways)(content, draw)
    return content
