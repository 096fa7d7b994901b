"""Checkpoints of the original studies' own code, and what that code computes with them: test/interchange.

    python make-fixtures.py mlvlab CHECKOUT OUT      # a checkout of github.com/mlvlab/MonotoneFlows
    python make-fixtures.py residual-flows CHECKOUT OUT           # github.com/rtqichen/residual-flows
    python make-fixtures.py implicit CHECKOUT OUT    # github.com/thu-ml/implicit-normalizing-flows

Needs PyTorch (CPU), NumPy and SciPy. Each NAME.pth is a model in float64 after a few steps of training, so that nothing
in it is as it was at the start, and as the study's training program would save it; NAME.json has inputs, and z and
log|det dz/dx| of them. What the studies compute to a tolerance of 1e-6, or by random probes, is computed here to
rounding: their solvers are given a tolerance of 1e-12, and log-determinants are those of whole Jacobians.
"""
import argparse
import json
import os

import numpy as np
import torch

from studies import STUDIES, Seen, expected, image_model, open_study, sharpen, toy_model, toy_program


def update_lipschitz(study, model, iterations=None):
    for module in model.modules():
        if isinstance(module, (study.base.InducedNormConv2d, study.base.InducedNormLinear)):
            module.compute_weight(update=True, n_iterations=iterations)


def train(study, model, batch, steps, rate):
    """A few steps of maximum likelihood; the last one leaves the vectors of the power iteration behind the weights."""
    model.train()
    optimizer = None
    for step in range(steps):
        x = batch()
        z, change = model(x, torch.zeros(len(x), 1))
        if optimizer is None:  # after the first pass: it makes vectors and actnorms
            optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
        loss = (z.pow(2).sum(1, keepdim=True) / 2 + change).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step < steps - 1:
            update_lipschitz(study, model, 5 if step else 50)


def scatter(module, name):
    """Numbers that start alike become different ones."""
    value = getattr(module, name, None)
    if isinstance(value, torch.nn.Parameter):
        value.data.add_(0.5 * torch.randn_like(value))


def store(out, name, checkpoint, numbers, old_format=False):
    path = os.path.join(out, f"{name}.pth")
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not old_format)
    with open(os.path.join(out, f"{name}.json"), "w") as file:
        json.dump(numbers, file)
        file.write("\n")
    print(f"{name}: {os.path.getsize(path)} bytes, log-determinants {numbers['logDet'][:3]}")


def make_toy(study, out, name, options, old_format=False):
    torch.manual_seed(5)
    program = toy_program(options)
    program.args.save = "experiments"
    torch.manual_seed(5)
    model = toy_model(study, program)
    centres = torch.tensor([[1.5, 0.0], [-1.0, 1.0], [0.0, -1.5]])

    def batch(count=64):
        return centres[torch.randint(3, (count,))] + 0.4 * torch.randn(count, 2)

    for module in model.modules():
        for parameter in ("K1_unnormalized", "K2_unnormalized", "beta"):
            scatter(module, parameter)
        if isinstance(module, study.base.InducedNormLinear):  # steep enough for its limit to bind
            module.weight.data.mul_(3)
    train(study, model, batch, 12, 2e-2)
    sharpen(study)
    numbers = expected(model, torch.cat([batch(6), 4 * torch.randn(2, 2)]))
    # As the study computes it itself, by its formula for two dimensions.
    x = torch.tensor(numbers["x"])
    _, change = model(x, torch.zeros(len(x), 1))
    assert np.allclose((-change).flatten().tolist(), numbers["logDet"], atol=1e-9), "the study computes another one"
    store(out, name, {"args": program.args, "state_dict": model.state_dict()}, numbers, old_format)


def image_args(**changes):
    """The options of train_img.py that the checkpoints carry, at its defaults."""
    return argparse.Namespace(**{**dict(
        data="mnist", imagesize=8, nbits=8, block="resblock", coeff=0.98, vnorms="2222", n_lipschitz_iters=None,
        sn_tol=1e-3, learn_p=False, n_power_series=None, factor_out=False, n_dist="poisson", n_samples=1,
        n_exact_terms=2, neumann_grad=True, mem_eff=True, idim=512, nblocks="16-16-16",
        squeeze_first=False, actnorm=True, fc_actnorm=False, batchnorm=False, dropout=0.0, fc=False, kernels="3-1-3",
        add_noise=True, quadratic=False, fc_end=True, fc_idim=128, preact=True, padding=0, first_resblock=True,
        task="density", batchsize=64), **changes})


def mlvlab_args(**changes):
    return image_args(**{**dict(
        act="CPila", densenet=True, densenet_depth=2, densenet_growth=4, fc_densenet_growth=4, learnable_concat=True,
        start_learnable_concat=0, lip_coeff=0.98, monotone_resolvent=True, var_deq=False), **changes})


def make_image(study, out, name, args, channels=1, alpha=1e-6, with_average=False, old_format=False, rows=3):
    torch.manual_seed(7)
    np.random.seed(7)  # the studies' roulette
    model = image_model(study, args, channels, alpha)
    whole = Seen(study, model, args)

    def pixels(count):
        image = torch.rand(count, channels, args.imagesize, args.imagesize)
        return 0.02 + 0.96 * (0.5 * image + 0.5 * image.mean((2, 3), keepdim=True))

    for module in model.modules():
        for parameter in ("K1_unnormalized", "K2_unnormalized", "beta"):
            scatter(module, parameter)
        if isinstance(module, (study.base.InducedNormLinear, study.base.InducedNormConv2d)):
            module.weight.data.mul_(2)
    if hasattr(study.layers, "imBlock"):  # as train_img.py begins: it makes the vectors of the copies
        with torch.no_grad():
            whole(pixels(16), torch.zeros(16, 1), restore=True)
    train(study, whole, lambda: pixels(16), 5, 1e-2)
    checkpoint = {"state_dict": model.state_dict(), "args": args, "test_bpd": 3.5, "begin_epoch": 1, "begin_iter": 0}
    if with_average:
        average = study.utils.ExponentialMovingAverage(model)
        average.apply()
        for value in average.shadow_params.values():
            value.mul_(0.99)
        checkpoint["ema"] = average
    sharpen(study)
    store(out, name, checkpoint, expected(whole, pixels(rows)), old_format)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("checkout")
    parser.add_argument("out")
    parser.add_argument("--only", default="", help="the beginning of the names to make")
    options = parser.parse_args()
    out = os.path.abspath(options.out)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    study = open_study(options.study, os.path.abspath(options.checkout))
    toy = ["--nblocks", "2", "--brute-force", "True"]
    dense = [*toy, "--data", "2spirals", "--densenet", "True", "--densenet_depth", "2", "--densenet_growth", "6",
             "--start_learnable_concat", "0"]
    layers = [*toy, "--dims", "8-8", "--vnorms", "2222", "--act", "swish", "--actnorm", "True"]
    small = dict(act="swish", idim=4, fc_idim=4)
    makers = {
        "mlvlab": {
            "mlvlab-toy-monotone": lambda name: make_toy(study, out, name, [
                *dense, "--act", "CPila", "--monotone_resolvent", "True", "--actnorm", "True"]),
            "mlvlab-toy-i-densenet": lambda name: make_toy(study, out, name, [*dense, "--act", "CLipSwish"], True),
            "mlvlab-image-factored": lambda name: make_image(
                study, out, name, mlvlab_args(nblocks="1-1", factor_out=True, fc_end=False), with_average=True),
            "mlvlab-image-connected": lambda name: make_image(
                study, out, name, mlvlab_args(imagesize=4, nblocks="1", densenet_depth=1, fc_densenet_growth=2,
                                               n_dist="geometric"),
                old_format=True),
            "mlvlab-image-squeezed": lambda name: make_image(study, out, name, mlvlab_args(
                data="cifar10", nblocks="1", squeeze_first=True, fc_end=False, act="CLipSwish"), 3, 0.05, rows=1),
        },
        "residual-flows": {
            "residual-toy": lambda name: make_toy(study, out, name, layers),
            "residual-image": lambda name: make_image(study, out, name, image_args(nblocks="1-1", **small)),
        },
        "implicit": {
            "implicit-toy": lambda name: make_toy(study, out, name, layers),
            "implicit-image": lambda name: make_image(
                study, out, name, image_args(**{**small, "idim": 3, "nblocks": "1-1", "coeff": 0.9, "fc_end": False})),
        },
    }
    for name, make in makers[options.study].items():
        if name.startswith(options.only):
            make(name)


main()
