"""Ways to damage a file: its bytes, what is packed in it, or the text that it holds; a seed gives the same again."""

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from random import Random

import yaml

ODD = [
    "nan", "inf", "-inf", "1e999", "-1", "0", "null", "true", "''", '""', "[]", "{}", "~", "9" * 400, str(2**63),
    "-1e308", "1e-320", "0x10", "1_000", "é", "\u202e", "\ud800", "\0", "!!python/object/apply:os.system [true]",
    "&a [*a]", "\t", "[" * 2000, "1,2", "=1+1", "2020-01-01", "1:30", "a" * 70_000,
]  # fmt: skip
Damage = Callable[[bytes, Random], bytes]


def damaged_bytes(content: bytes, random: Random) -> bytes:
    """Some bytes flipped, cut off, added, zeroed, exchanged, doubled or left out."""
    changed = bytearray(content)

    def region() -> slice:
        start = random.randrange(len(changed) + 1)
        return slice(start, start + random.choice([1, 4, 16, 300, len(changed)]))

    for _ in range(random.choice([1, 1, 1, 3])):
        match random.randrange(8):
            case 0 | 1:
                for _ in range(random.choice([1, 2, 20])):
                    if changed:
                        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            case 2:
                del changed[random.randrange(len(changed) + 1) :]
            case 3:
                changed += random.choice([b"\0", b"\n", random.randbytes(50), bytes(100_000), bytes(changed)])
            case 4:
                where = region()
                changed[where] = bytes(len(changed[where]))
            case 5:
                one, other = sorted((region().start, region().start))
                changed[:] = changed[:one] + changed[other:] + changed[one:other]
            case 6:
                where = region()
                changed[where] = random.choice([b"", changed[where] * 2, b"\xff" * len(changed[where])])
            case 7:  # where sizes stand
                start = random.randrange(min(len(changed), 64) + 1)
                changed[start : start + 4] = random.choice(
                    [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\xff\xff"]
                )
    return bytes(changed)


def damaged_text(content: bytes, random: Random) -> bytes:
    """A number, a word or a line put in place of another."""
    text = content.decode()
    odd = random.choice(ODD)
    match random.randrange(4):
        case 0:
            spans = [found.span() for found in re.finditer(r"-?\d+(\.\d+)?(e-?\d+)?", text)]
        case 1:
            spans = [found.span() for found in re.finditer(r"\w+", text)]
        case 2:
            spans = [found.span() for found in re.finditer(r"[,:\n\"'\[\]{}]", text)]
        case _:
            spans, odd = (
                [found.span() for found in re.finditer(r".*\n?", text)],
                random.choice(["", "\n", odd, text[:500]]),
            )
    start, end = random.choice(spans or [(0, 0)])
    return (text[:start] + odd + text[end:]).encode("utf-8", "surrogatepass")


def damaged_tree(content: bytes, random: Random, is_yaml: bool = False) -> bytes:
    """A key left out, renamed or set to something else, or all of it nested deeply, in JSON or YAML."""
    tree = yaml.safe_load(content) if is_yaml else json.loads(content)
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = random.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and random.random() < 0.7:
            node = node[key]
            continue
        break
    match random.randrange(5):
        case 0:
            del node[key]
        case 1:
            node[key] = random.choice([None, [], {}, "text", "", -1, 10**30, 1e300, True, [[1]], {"a": {}}, 0.5, "nan"])
        case 2:
            node[key] = [node[key]] * random.choice([1, 2, 5000])
        case 3 if isinstance(node, dict):
            node[random.choice(["", "status", "name", "metrics", "a b", "7"])] = node.pop(key)
        case _:
            deep = "[" * random.choice([50, 990, 100_000])
            return (json.dumps(tree)[:-1] + ', "deep": ' + deep).encode()
    return (yaml.safe_dump(tree) if is_yaml else json.dumps(tree)).encode()


def damaged_yaml(content: bytes, random: Random) -> bytes:
    """See `damaged_tree`."""
    return damaged_tree(content, random, is_yaml=True)


def inside_zip(content: bytes, random: Random) -> bytes:
    """One entry damaged, and the archive written anew with right checksums: nothing but the content can tell."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(list(entries))
    match random.randrange(6):
        case 0:
            del entries[name]
        case 1:
            entries[name] = random.choice(list(entries.values()))
        case 2:
            entries[name + "x"] = entries.pop(name)
        case _:
            entries[name] = damaged_bytes(entries[name], random)
    changed = io.BytesIO()
    method = random.choice([zipfile.ZIP_STORED] * 5 + [zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(changed, "w", method) as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return changed.getvalue()


def inside_gzip(content: bytes, random: Random) -> bytes:
    """Damaged, and packed anew."""
    return gzip.compress(damaged_bytes(gzip.decompress(content), random), 1)
