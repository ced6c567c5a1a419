"""The package has floors: no module needs itself by way of another, wherever it imports."""

import ast
from graphlib import TopologicalSorter

from diffusion_utils.files import ROOT

PACKAGE = ROOT / "diffusion_utils"


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imported(path):
    """The modules of the package that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_no_circle():
    needs = {
        name: {other for other in imported(path) if other in MODULES}
        for name, path in MODULES.items()
    }
    assert len(needs["diffusion_utils.emoji64.model"]) > 4  # something was found
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError
    assert set(order) == set(MODULES)


def test_the_core_knows_no_model():
    for name in ("schedule", "denoisers", "views", "sampling", "tasks", "text_to_image"):
        path = MODULES[f"diffusion_utils.{name}"]
        rooms = {module.split(".")[1] for module in imported(path) if "diffusion_utils." in module}
        assert not rooms & {"emoji64", "mnist", "deepfloyd", "training"}, name
