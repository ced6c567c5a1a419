"""The list of faults is kept up to date; `make mutants` plants them."""

import re
import sys

import pytest

from diffusion_utils.files import ROOT

sys.path.insert(0, str(ROOT / "tests" / "mutants"))
from plant import planted  # noqa: E402
from planted import PLANTED, Mutant  # noqa: E402


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda m: m.fault)
def test_a_fault_can_be_planted_and_its_tests_are_there(mutant):
    source = (ROOT / mutant.file).read_text()
    changed = planted(source, mutant)
    assert changed != source
    compile(changed, mutant.file, "exec")
    for test in mutant.tests.split():
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text()


@pytest.mark.parametrize("times", [0, 2])
def test_a_fault_whose_place_is_not_clear_is_an_error(times):
    mutant = Mutant("", "a.py", "x = 1", "x = 2", "")
    with pytest.raises(ValueError, match=f"a.py has 'x = 1' {times} times, not once"):
        planted("x = 1\n" * times, mutant)


def test_each_room_has_a_fault():
    """Of the package; what only loads, saves or talks is left out."""
    rooms = {m.file.removeprefix("diffusion_utils/").removesuffix(".py") for m in PLANTED}
    core = "schedule denoisers sampling views tasks pictures metrics show diagrams files profile"
    training = "training/loop training/runs training/muon"
    networks = "mnist/unet mnist/objectives emoji64/network emoji64/recipe emoji64/captions"
    assert rooms > {*core.split(), *training.split(), *networks.split(), "mnist/judge", "export"}


def test_the_readme_says_how_many_there_are():
    ((noticed, planted),) = re.findall(r"(\d+) of (\d+) faults", (ROOT / "README.md").read_text())
    assert int(planted) == len(PLANTED) and int(noticed) >= 0.9 * len(PLANTED)
