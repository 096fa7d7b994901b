"""The original studies' own code, opened to build models from the options of their training programs."""
import contextlib
import importlib
import os
import sys
import tempfile
import types
from unittest import mock

import torch

STUDIES = ("mlvlab", "residual-flows", "implicit")
TOLERANCE = 1e-12


def stand_ins():
    """Modules that the studies import for pictures and data, which are not needed here."""
    import torch._dynamo  # asks what is installed, so it comes first
    for name in ("matplotlib", "matplotlib.pyplot", "sklearn", "sklearn.datasets", "sklearn.utils", "termcolor"):
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = mock.MagicMock()
    if not hasattr(torch, "_six"):
        import collections.abc
        sys.modules["torch._six"] = types.SimpleNamespace(container_abcs=collections.abc)


def pila(x, coefficients):
    """The formula of the study's pila.cpp, which cannot be built without a compiler for CUDA."""
    k, a, b, c, d, m, n = coefficients
    return torch.where(x > 0, m * x + n, (((a * x + b) * x + c) * x + d) * torch.exp(torch.clamp(k * x, max=0.01)))


def open_study(study, checkout):
    stand_ins()
    sys.path.insert(0, checkout)
    os.chdir(checkout)
    import torch.utils.cpp_extension
    torch.utils.cpp_extension.load = lambda **_: types.SimpleNamespace(forward=pila)
    package = "resflows" if study == "residual-flows" else "lib"
    return types.SimpleNamespace(
        layers=importlib.import_module(f"{package}.layers"),
        base=importlib.import_module(f"{package}.layers.base"),
        utils=importlib.import_module(f"{package}.utils"),
        package=package,
    )


def toy_program(options):
    """The study's train_toy.py as a module, with these options."""
    folder = tempfile.mkdtemp()
    sys.argv = ["train_toy.py", "--save", folder, *options]
    sys.modules.pop("train_toy", None)
    with contextlib.redirect_stderr(open(os.devnull, "w")):
        return importlib.import_module("train_toy")


def toy_model(study, program):
    """As the end of train_toy.py builds it."""
    args, layers = program.args, study.layers
    activation = program.ACTIVATION_FNS[args.act]
    dims = [2] + list(map(int, args.dims.split("-"))) + [2]
    common = dict(n_dist=args.n_dist, brute_force=args.brute_force, n_samples=args.n_samples, neumann_grad=False,
                  grad_in_forward=False)
    blocks = [layers.ActNorm1d(2)] if args.actnorm else []
    for _ in range(args.nblocks):
        if args.arch == "implicit":
            blocks.append(layers.imBlock(program.build_nnet(dims, activation), program.build_nnet(dims, activation),
                                         **common))
        elif hasattr(args, "densenet"):
            blocks.append(layers.iResBlock(program.build_nnet(args.densenet, dims, activation),
                                           monotone_resolvent=args.monotone_resolvent, **common))
        else:
            blocks.append(layers.iResBlock(program.build_nnet(dims, activation), **common))
        if args.actnorm:
            blocks.append(layers.ActNorm1d(2))
    model = layers.SequentialFlow(blocks)
    return torch.nn.DataParallel(model) if args.arch == "implicit" else model


def sharpen(study):
    """Every solver of the study goes on to rounding."""
    if study.package == "lib" and hasattr(study.layers, "imBlock"):
        from lib.layers import implicit_block as block
        original = block.broyden
        block.broyden = lambda g, x, threshold, eps, name: original(g, x, threshold=500, eps=TOLERANCE, name=name)
    elif study.package == "lib":
        from lib.layers import solvers
        original = solvers.find_fixed_point
        solvers.find_fixed_point = lambda f, x, threshold, eps: original(f, x, threshold=5000, eps=TOLERANCE)


def expected(model, x):
    """z and log|det dz/dx|, by the whole Jacobian of the whole model."""
    model.eval()
    x = x.clone().requires_grad_(True)
    z = model(x, torch.zeros(len(x), 1))[0].reshape(len(x), -1)
    # Rows do not touch each other, so the gradient of a column's sum has the gradients of all rows.
    columns = [torch.autograd.grad(z[:, j].sum(), x, retain_graph=True)[0].reshape(len(x), -1) for j in range(z.shape[1])]
    determinants = torch.linalg.slogdet(torch.stack(columns, 1))[1]
    return {"x": x.detach().reshape(len(x), -1).tolist(), "z": z.tolist(), "logDet": determinants.tolist()}


def image_model(study, args, channels, alpha):
    """As train_img.py calls the model's constructor."""
    size = (args.batchsize, channels, args.imagesize, args.imagesize)
    if args.squeeze_first:
        size = (size[0], 4 * channels, args.imagesize // 2, args.imagesize // 2)
    options = dict(
        n_blocks=list(map(int, args.nblocks.split("-"))), intermediate_dim=args.idim, factor_out=args.factor_out,
        quadratic=args.quadratic, init_layer=study.layers.LogitTransform(alpha), actnorm=args.actnorm,
        fc_actnorm=args.fc_actnorm, batchnorm=args.batchnorm, dropout=args.dropout, fc=args.fc, coeff=args.coeff,
        vnorms=args.vnorms, n_lipschitz_iters=args.n_lipschitz_iters, sn_atol=args.sn_tol, sn_rtol=args.sn_tol,
        n_power_series=args.n_power_series, n_dist=args.n_dist, n_samples=args.n_samples, kernels=args.kernels,
        activation_fn=args.act, fc_end=args.fc_end, fc_idim=args.fc_idim, n_exact_terms=args.n_exact_terms,
        preact=args.preact, neumann_grad=args.neumann_grad, grad_in_forward=False, first_resblock=args.first_resblock)
    if hasattr(args, "densenet"):
        from lib.resflow import ResidualFlow as Model
        options.update(
            densenet=args.densenet, densenet_depth=args.densenet_depth, densenet_growth=args.densenet_growth,
            fc_densenet_growth=args.fc_densenet_growth, learnable_concat=args.learnable_concat,
            lip_coeff=args.lip_coeff, monotone_resolvent=args.monotone_resolvent)
    elif study.package == "resflows":
        from resflows.resflow import ResidualFlow as Model
    else:
        from lib.implicit_flow import ImplicitFlow as Model
    return Model(size, **options)


class Seen(torch.nn.Module):
    """A model of images from the image itself: train_img.py squeezes outside of it."""

    def __init__(self, study, model, args):
        super().__init__()
        self.model = model
        self.squeeze = study.layers.SqueezeLayer(2) if args.squeeze_first else None

    def forward(self, x, change, **more):
        return self.model(self.squeeze(x) if self.squeeze else x, change, **more)
