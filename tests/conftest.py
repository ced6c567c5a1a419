import torch

# The networks of the tests are tiny and pytest runs them in parallel: more threads only wait for each other.
torch.set_num_threads(1)
