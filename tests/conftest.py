import pytest
import torch
from accelerate.state import AcceleratorState
from hypothesis import settings

# The networks of the tests are tiny and pytest runs them in parallel: more threads only wait for each other.
torch.set_num_threads(1)

# A busy machine is no wrong formula.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """A process has one precision, the first that is asked for; each test may ask for its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
