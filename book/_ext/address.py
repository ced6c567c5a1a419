"""The addresses of the repository and of the site: `make address` sets them everywhere.

_config.yml keeps them; the README and the first cell of each chapter repeat them. Until an owner has set
them they end in .invalid, which nobody can register, and as a Sphinx extension this file leaves out the
buttons that would lead there.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORED = {
    "repository": re.compile(r"^repository:.*\n  url: (\S+)", re.M),
    "site": re.compile(r"^  baseurl: (\S+)", re.M),
}
GITHUB = re.compile(
    r"(?:https?://|git://|ssh://)?(?:[^@/]+@)?github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?"
)
NOT_YET = (
    "This copy of the book is not published yet, so no button opens a chapter in Colab."
)


def read(root=ROOT):
    """The addresses of the repository and of the site."""
    # not as YAML: the job that publishes has no package to read it
    config = (root / "_config.yml").read_text()
    return tuple(pattern.search(config)[1] for pattern in STORED.values())


def parse(url):
    """The addresses of a repository on GitHub, however git writes its own, and of its site.

    Raises:
        ValueError: it is on no GitHub, where Colab reads notebooks and where the site is.
    """
    match = GITHUB.fullmatch(url.strip())
    if not match:
        raise ValueError(
            f"{url!r} is no repository on GitHub: make address URL=https://github.com/OWNER/NAME"
        )
    owner, name = match.groups()
    host = f"{owner.lower()}.github.io"
    site = f"https://{host}/" + ("" if name.lower() == host else f"{name}/")
    return f"https://github.com/{owner}/{name}", site


def origin(root):
    """The address that this clone came from.

    Raises:
        ValueError: it came from none.
    """
    command = ["git", "-C", root, "remote", "get-url", "origin"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(
            "this folder has no origin: make address URL=https://github.com/OWNER/NAME"
        )
    return done.stdout


def change(url, root=ROOT):
    """Set the addresses in _config.yml and the README; `make pairs` then sets them in the chapters."""
    new = parse(url)
    for old, address in zip(read(root), new, strict=True):
        for path in (root / "_config.yml", root / "README.md"):
            path.write_text(path.read_text().replace(old, address))
    return new


def check(url, root=ROOT):
    """Raise ValueError unless the book's address is that of a repository."""
    wanted, stored = parse(url)[0], read(root)[0]
    if stored.lower() != wanted.lower():
        raise ValueError(
            f"the book's address is {stored}, and this repository is {wanted}. In your clone, type: "
            f"make address URL={wanted} && git commit -am 'Our address' && git push"
        )


def configure(app, config):
    if config.html_theme_options.get("repository_url", "").endswith(".invalid"):
        for name in ("launch_buttons", "repository_url", "use_repository_button"):
            config.html_theme_options.pop(name, None)
        config.html_theme_options["announcement"] = NOT_YET


def setup(app):
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main(arguments):
    try:
        if arguments[:1] == ["--check"]:
            check(arguments[1])
        else:
            url = next(filter(None, arguments), None) or origin(ROOT)
            print(*change(url), sep="\n")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
