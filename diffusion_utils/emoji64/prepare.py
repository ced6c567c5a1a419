"""Draw the emoji of data/emoji64/names.txt: python -m diffusion_utils.emoji64.prepare.

Needs npm, which fetches the drawings, and the package resvg-py, which renders them.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from diffusion_utils.files import ROOT, atomic, read_lines, record_sha256

FOLDER = ROOT / "data" / "emoji64"
FEWEST_STYLES = 4


class Source(NamedTuple):
    version: str
    licence: str


SOURCES = {
    "noto": Source("1.2.9", "Apache-2.0"),
    "noto-v1": Source("1.2.5", "Apache-2.0"),
    "twemoji": Source("1.2.5", "CC-BY-4.0"),
    "fluent-emoji": Source("1.2.7", "MIT"),
    "fluent-emoji-flat": Source("1.2.6", "MIT"),
    "emojione": Source("1.2.3", "CC-BY-4.0"),
    "streamline-emojis": Source("1.2.4", "CC-BY-4.0"),
}
# SHA-512 of each package, as npm writes it
INTEGRITY = {
    "noto": "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
    "noto-v1": "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",  # noqa: E501
    "twemoji": "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
    "fluent-emoji": "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",  # noqa: E501
    "fluent-emoji-flat": "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",  # noqa: E501
    "emojione": "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
    "streamline-emojis": "iNr9T9XuZVTyQPJO8ZlLxBzPkpi7qMl+z1l0C31vpEMqhPMelth3n7CeWQYtixdetDPdI81yeG4ROqjWpYJE6A==",  # noqa: E501
}
# what some packages call the same thing
ALSO = {
    name: f"{name}-face" for name in "bear fox frog hamster lion panda robot unicorn wolf".split()
} | {"mage": "person-mage"}

WRONG = {("streamline-emojis", "turkey")}  # the country's flag


def download(style, cache):
    """Fetch a package with npm into the folder `cache`, unless it is there -> its icons.json.

    Raises:
        FileNotFoundError: npm is missing.
        OSError: npm could not fetch the package, or fetched another.
    """
    version = SOURCES[style].version
    path = Path(cache) / f"iconify-json-{style}-{version}.tgz"
    if not path.exists():
        if shutil.which("npm") is None:
            raise FileNotFoundError(
                "npm is missing; install Node.js, or use the prepared data in data/emoji64"
            )
        Path(cache).mkdir(parents=True, exist_ok=True)
        package = f"@iconify-json/{style}@{version}"
        with TemporaryDirectory(dir=cache) as folder:  # else half a file may stay
            done = subprocess.run(
                [shutil.which("npm"), "pack", "--silent", package],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise OSError(f"npm could not fetch {package}: {done.stderr.strip()[-300:]}")
            fetched = Path(folder) / path.name
            sha512 = base64.b64encode(hashlib.sha512(fetched.read_bytes()).digest())
            if sha512.decode() != INTEGRITY[style]:
                raise OSError(f"what npm fetched is not the recorded {package}")
            fetched.replace(path)
    with tarfile.open(path) as archive:
        return json.load(archive.extractfile("package/icons.json"))


def wanted():
    """The list of emoji -> {name in the packages: plain words}."""
    pairs = [line.split(": ") for line in read_lines(FOLDER / "names.txt") if line[0] != "#"]
    return {pair[0]: pair[-1].replace("-", " ") if len(pair) == 1 else pair[1] for pair in pairs}


def drawings(icons, name):
    """The names of a package's drawings of an emoji; some have several, numbered from 1."""
    known = icons["icons"].keys() | icons.get("aliases", {}).keys()
    for candidate in filter(None, (name, ALSO.get(name))):
        numbered = sorted(k for k in known if re.fullmatch(rf"{candidate}-\d", k))
        if candidate in known or numbered:
            return [candidate] if candidate in known else numbered
    return []


def svg(icons, name):
    """A drawing of a package as a complete SVG; an alias may turn or mirror nothing here."""
    icon = icons["icons"].get(name) or icons["icons"][icons["aliases"][name]["parent"]]
    size = [
        icon.get(key, icons.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    ]
    box = " ".join(map(str, size))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="64" height="64" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{icon["body"]}</svg>'
    )


def render(text):
    """An SVG -> the bytes of a 64x64 RGBA PNG."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=text, width=64, height=64))


def rows(cache):
    """One dict for each drawing of the emoji that are drawn in four or more styles."""
    packages = {style: download(style, cache) for style in SOURCES}
    for slug, name in tqdm(sorted(wanted().items(), key=lambda pair: pair[1])):
        found = {style: drawings(icons, slug) for style, icons in packages.items()}
        if sum(map(bool, found.values())) < FEWEST_STYLES:
            continue
        for style, icon_names in found.items():
            if (style, slug) in WRONG:
                continue
            version, licence = SOURCES[style]
            for icon in icon_names:
                yield {
                    "image": render(svg(packages[style], icon)),
                    "name": name,
                    "style": style,
                    "source": f"@iconify-json/{style}@{version}/{icon}",
                    "licence": licence,
                }


def contact_sheet(table, path):
    """Write a PNG of every name's drawing in noto, row by row in the order of the names."""
    columns, side = 32, 40  # of a drawing, in pixels
    chosen = table.filter(pc.field("style") == "noto")["image"].to_pylist()
    sheet = Image.new("RGB", (columns * side, -(-len(chosen) // columns) * side), "white")
    for index, png in enumerate(chosen):
        drawing = Image.open(io.BytesIO(png)).resize((side - 4, side - 4))
        row, column = divmod(index, columns)
        sheet.paste(drawing, (column * side + 2, row * side + 2), drawing)
    with atomic(path) as partial:
        sheet.quantize(256).save(partial, "PNG")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "npm")
    args = parser.parse_args()
    table = pa.Table.from_pylist(list(rows(args.cache)))
    path = args.out / "train.parquet"
    with atomic(path) as partial:
        pq.write_table(table, partial, compression="none")
    contact_sheet(table, args.out / "contact_sheet.png")
    record_sha256(args.out, path.name)
    names = len(set(table["name"].to_pylist()))
    print(f"{len(table):,} drawings of {names} names")


if __name__ == "__main__":
    main()
