"""
Writes the golden vectors: numbers in float64 from PyTorch that test/golden judges every engine by. README.md says what they are.

    python test/golden/generate.py --check               # against the stored ones: how far any number is off
    python test/golden/generate.py --seed 7 --out DIR    # others; GOLDEN_DIR=DIR npm run test:golden tries them

The stored ones have the seed 20261123, which is the default. Other processors and versions of PyTorch round the last bit
otherwise; --check fails where a number is off by more than 1e-10, or 1e-10 times itself where it is above 1.
"""

import argparse
import json
import math
import pathlib
import sys

import torch

from formulas import ACTIVATIONS, BLOCKS, Dense, LIP, log_det, monotone
from training import training

torch.set_default_dtype(torch.float64)

HERE = pathlib.Path(__file__).parent
TOLERANCE = 1e-10


def activations():
    x = torch.cat(
        [
            torch.linspace(-6, 6, 97),
            torch.tensor([-0.2, 0.2, -0.2000001, 0.2000001, 0.0, -30.0, 30.0, -1e4, 1e4]),
        ]
    )
    result = {"x": x.tolist()}
    for name, activation in ACTIVATIONS.items():
        at = x.clone().requires_grad_(True)

        def derivative(outputs):
            columns = outputs.unbind(1)
            known = lambda y: torch.autograd.grad(y.sum(), at, create_graph=True)[0]
            return torch.stack([known(y) if y.requires_grad else torch.zeros_like(x) for y in columns], 1)

        value = activation(at.unsqueeze(1))
        first = derivative(value)
        result[name] = {
            "value": value.tolist(),
            "first": first.tolist(),
            "second": derivative(first).tolist(),
        }
    return result


def described(network):
    return {**network.by_kind(network.parameters()), "coeff": network.coeff, "lipCoeff": LIP}


def dense_blocks(draw):
    cases = []
    for dim, depth, growth, activation, count in [
        (1, 4, 8, "CReLU", 7),
        (2, 3, 16, "CPila", 9),
        (2, 3, 16, "CLipSwish", 9),
        (5, 2, 12, "CPila", 6),
    ]:
        g = Dense(draw, dim, depth, growth, activation, coeff=0.99 if dim == 1 else 0.9, gain=1.5)
        x = (draw(count, dim) * 1.5).requires_grad_(True)
        value = g(x)
        rows = [torch.autograd.grad(value[:, i].sum(), x, retain_graph=True)[0] for i in range(dim)]
        y_bar, log_det_bar = draw(count, dim), draw(count)
        blocks = {}
        for kind, block in BLOCKS.items():
            y, own, w = block(g, x)
            loss = (y * y_bar).sum() + (own * log_det_bar).sum()
            x_gradient, *gradients = torch.autograd.grad(loss, [x, *g.parameters()])
            blocks[kind] = {
                "y": y.tolist(),
                "logDet": own.tolist(),
                "gradient": {"x": x_gradient.tolist(), **g.by_kind(gradients)},
                **({"w": w.tolist()} if kind == "monotone" else {}),
            }
        cases.append(
            {
                "dim": dim,
                "depth": depth,
                "growth": growth,
                "activation": activation,
                "parameters": described(g),
                "x": x.tolist(),
                "network": {"value": value.tolist(), "jacobian": torch.stack(rows, 1).tolist()},
                "blocks": blocks,
                "cotangent": {"y": y_bar.tolist(), "logDet": log_det_bar.tolist()},
            }
        )
    return {"cases": cases}


def flow(draw):
    networks = [Dense(draw, 2, 3, 16, "CPila", coeff=0.9, gain=1.5) for _ in range(2)]
    log_scales = [(draw(2) * 0.2).requires_grad_(True) for _ in range(3)]
    shifts = [(draw(2) * 0.2).requires_grad_(True) for _ in range(3)]
    x = draw(8, 2) * 1.5
    z, total = x.clone().requires_grad_(True), 0.0
    for i in range(3):
        z = (z + shifts[i]) * log_scales[i].exp()
        total = total + log_scales[i].sum().expand(len(x))
        if i < 2:
            z, own, _ = monotone(networks[i], z)
            total = total + own
    log_prob = (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(1) + total
    loss = -log_prob.mean()

    def gradient(parameters):
        return torch.autograd.grad(loss, parameters, retain_graph=True)

    lists = lambda tensors: [t.tolist() for t in tensors]
    return {
        "activation": "CPila",
        "depth": 3,
        "growth": 16,
        "blocks": [described(g) for g in networks],
        "logScale": lists(log_scales),
        "shift": lists(shifts),
        "x": x.tolist(),
        "z": z.tolist(),
        "logDet": total.tolist(),
        "logProb": log_prob.tolist(),
        "nll": loss.item(),
        "gradient": {
            "blocks": [g.by_kind(gradient(g.parameters())) for g in networks],
            "logScale": lists(gradient(log_scales)),
            "shift": lists(gradient(shifts)),
        },
    }


def conv_network(draw):
    samples, channels, height, width = shape = (4, 3, 6, 5)
    g = Dense(draw, channels, 2, 8, "CPila", coeff=0.98, gain=1.2, grid=(height, width))
    x = draw(*shape)
    v, u = draw(*shape), draw(*shape)
    value, jvp = torch.autograd.functional.jvp(g, x, v)
    at = x.clone().requires_grad_(True)
    (vjp,) = torch.autograd.grad(g(at), at, u)

    def jacobians(images):
        one = lambda image: g(image.reshape(1, *shape[1:])).flatten()
        return torch.stack([torch.autograd.functional.jacobian(one, image.flatten()) for image in images])

    matrices = jacobians(x)
    power, powers = v.flatten(1), []
    for _ in range(15):
        power = (matrices @ power.unsqueeze(-1)).squeeze(-1)
        powers.append((v.flatten(1) * power).sum(1))
    w = x.clone()
    for _ in range(4000):
        before, w = w, (2 * x - g(w)).detach()
        if (w - before).abs().max() < 1e-14:
            break
    there = jacobians(w)
    return {
        "shape": list(shape),
        "growth": 8,
        "depth": 2,
        "activation": "CPila",
        "coeff": g.coeff,
        "lipCoeff": LIP,
        "parameters": g.by_kind(g.parameters()),
        "sigma": [norm.item() for norm in g.norms],
        "x": x.tolist(),
        "v": v.tolist(),
        "u": u.tolist(),
        "value": value.tolist(),
        "jvp": jvp.tolist(),
        "vjp": vjp.tolist(),
        "uJv": (vjp * v).sum().item(),
        "powers": torch.stack(powers, 1).tolist(),
        "logDetResidual": log_det(matrices, 1).tolist(),
        "monotone": {
            "w": w.tolist(),
            "y": (w - x).tolist(),
            "logDet": (log_det(there, -1) - log_det(there, 1)).tolist(),
        },
    }


def generate(seed):
    # One generator for all: what a file draws depends on the files before it.
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    return {
        "activations": activations(),
        "dense-blocks": dense_blocks(draw),
        "flow": flow(draw),
        "conv-network": conv_network(draw),
        "training": training(),
    }


def numbers(value):
    return [n for part in value for n in numbers(part)] if isinstance(value, list) else [value]


def error(own, stored, place):
    """The largest difference of numbers, over the stored one where that is above 1; infinite where anything else differs or is no number."""
    if isinstance(own, dict) and isinstance(stored, dict) and own.keys() == stored.keys():
        return max((error(own[key], stored[key], f"{place}.{key}") for key in own), default=0.0)
    if isinstance(own, list) and isinstance(stored, list) and own and isinstance(own[0], dict):
        if len(own) == len(stored):
            return max(error(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(own, stored)))
    a, b = numbers(own), numbers(stored)
    if place == "training.torch" or a == b:
        return 0.0
    same = len(a) == len(b) and all(isinstance(n, (int, float)) and math.isfinite(n) for n in a + b)
    off = max(abs(x - y) / max(1, abs(y)) for x, y in zip(a, b)) if same else math.inf
    if not off <= TOLERANCE:
        print(f"{place} is off by {off:.1e}")
    return off


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="folder (default: that of the stored ones)")
    parser.add_argument("--check", action="store_true", help="compare with the files in OUT instead of writing them")
    options = parser.parse_args()
    largest = 0.0
    for name, values in generate(options.seed).items():
        path = options.out / f"{name}.json"
        if options.check:
            off = error(values, json.loads(path.read_text()), name)
            print(f"{path}: off by at most {off:.1e}")
            largest = max(largest, off)
        else:
            options.out.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
    return 0 if largest <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
