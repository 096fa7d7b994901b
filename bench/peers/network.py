"""Shapes, first weights and packed layout of the densely concatenated networks (no framework).

A block holds four weights (8x2, 8x18, 8x34, 2x50), four biases and three pairs kappa of the
concatenation. Packed, all weights lie in one zero-padded array (blocks, 4, 8, 51) whose last
column is the bias: padding changes no spectral norm, so one batched power iteration serves
all of them, and one array serves the optimiser.
"""
import numpy as np

BLOCKS = 10
SHAPES = ((8, 2), (8, 18), (8, 34), (2, 50))
COEFF, LIP = 0.9, 0.98
LEARNING_RATE, WEIGHT_DECAY, POWER_ITERATIONS = 1e-3, 1e-5, 5
CONCAT_LEARNABLE_FROM = 25_000


def initial_blocks(rng, count=BLOCKS):
    """Uniform weights and biases in +-1/sqrt(inputs), as torch.nn.Linear draws them; kappa = 1."""
    def block():
        bounds = [columns ** -0.5 for _, columns in SHAPES]
        return {
            "weight": [rng.uniform(-k, k, shape) for k, shape in zip(bounds, SHAPES)],
            "bias": [rng.uniform(-k, k, shape[0]) for k, shape in zip(bounds, SHAPES)],
            "concat": np.ones((3, 2)),
        }
    return [block() for _ in range(count)]


def pack(blocks):
    """List of blocks -> theta (blocks, 4, 8, 51) and kappa (blocks, 3, 2)."""
    theta = np.zeros((len(blocks), 4, 8, 51))
    for packed, block in zip(theta, blocks):
        for layer, (rows, columns) in enumerate(SHAPES):
            packed[layer, :rows, :columns] = block["weight"][layer]
            packed[layer, :rows, 50] = block["bias"][layer]
    return theta, np.array([block["concat"] for block in blocks], float)


def unpack(theta, kappa):
    """The inverse of `pack`, for one block: theta (4, 8, 51), kappa (3, 2)."""
    return {
        "weight": [theta[layer, :rows, :columns] for layer, (rows, columns) in enumerate(SHAPES)],
        "bias": [theta[layer, :rows, 50] for layer, (rows, _) in enumerate(SHAPES)],
        "concat": kappa,
    }


def initial_vectors(count=BLOCKS):
    """First left singular vectors of the power iteration (blocks, 4, 8, 1), zero in the padding."""
    vectors = np.zeros((count, 4, 8, 1))
    for layer, (rows, _) in enumerate(SHAPES):
        vectors[:, layer, :rows] = rows ** -0.5
    return vectors
