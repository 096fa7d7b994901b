"""The 2spirals density of the 2-D experiments (Ahn et al. 2022, section on 2-D toy densities)."""
import numpy as np


def two_spirals(rng, count):
    """Draw `count` fresh samples as a float32 array of shape (2, count).

    n = sqrt(U) 3 pi; d = (-cos(n) n + U/2, sin(n) n + U/2); half of the samples are d, half -d;
    x = d/3 + 0.1 N. The entropy, the floor of any test loss, is 2.642 nats. The two halves
    alternate, so every slice of even length holds as many samples of each arm.
    """
    half = count // 2
    n = np.sqrt(rng.random(half, np.float32)) * np.float32(3 * np.pi)
    arm = np.stack([-np.cos(n) * n, np.sin(n) * n]) + rng.random((2, half), np.float32) / 2
    both = np.stack([arm, -arm], axis=2).reshape(2, 2 * half)
    return both / 3 + np.float32(0.1) * rng.standard_normal((2, 2 * half), np.float32)
