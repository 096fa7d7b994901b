"""An exported checkpoint in the original study's own code: the same z and log-determinants to 1e-6.

    monotone-flows export RUN --format mlvlab --out model.pth
    python check-export.py mlvlab CHECKOUT model.pth numbers.json

numbers.json has x, z and logDet as the files in test/interchange have: images with pixels of 0 to 1, z in the order of
the study. The program builds the model from the checkpoint's `args`, loads it with `load_state_dict`, and compares.
"""
import argparse
import json
import os

import numpy as np
import torch

from studies import STUDIES, Seen, expected, image_model, open_study, sharpen, toy_model, toy_program

LIMIT = 1e-6


def toy_options(args):
    known = ("arch", "act", "coeff", "vnorms", "n_lipschitz_iters", "densenet", "densenet_depth", "densenet_growth",
             "learnable_concat", "lip_coeff", "monotone_resolvent", "dims", "nblocks", "brute_force", "actnorm")
    dashes = ("n_lipschitz_iters", "brute_force")
    return [part for name in known if name in args
            for part in ("--" + (name.replace("_", "-") if name in dashes else name), str(args[name]))]


def build(study, args):
    """The model from an input of its own shape, and the modules that the checkpoint is of."""
    if "imagesize" not in args:
        model = toy_model(study, toy_program(toy_options(args)))
        inner = model.module if isinstance(model, torch.nn.DataParallel) else model
        return inner, inner, (2,)
    args = argparse.Namespace(**args, batchsize=64, neumann_grad=True)
    channels = getattr(args, "channels", 1 if args.data == "mnist" else 3)
    alpha = getattr(args, "logit_alpha", 1e-6 if args.data == "mnist" else 0.05)
    model = image_model(study, args, channels, alpha)
    whole = Seen(study, model, args)
    shape = (channels, args.imagesize, args.imagesize)
    # Its vectors take their sizes from a first pass, as train_img.py --resume does it.
    restore = {"restore": True} if hasattr(study.layers, "imBlock") else {}
    with torch.no_grad():
        whole(torch.rand(2, *shape), torch.zeros(2, 1), **restore)
    return whole, model, shape


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("checkout")
    parser.add_argument("checkpoint")
    parser.add_argument("numbers")
    options = parser.parse_args()
    checkpoint = torch.load(options.checkpoint, weights_only=True)
    with open(options.numbers) as file:
        numbers = json.load(file)
    study = open_study(options.study, os.path.abspath(options.checkout))
    # Built in float32, as the studies do it, then made wider: that loads the float64 of the file unchanged.
    whole, model, shape = build(study, checkpoint["args"])
    whole.double()
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    sharpen(study)
    ours = {key: np.array(numbers[key]) for key in ("x", "z", "logDet")}
    theirs = expected(whole, torch.tensor(ours["x"]).reshape(-1, *shape))
    errors = {key: np.abs(ours[key] - np.array(theirs[key])).max() for key in ("z", "logDet")}
    print(f"{options.checkpoint}: largest difference of z {errors['z']:.1e}, of log-determinants {errors['logDet']:.1e}")
    return 0 if max(errors.values()) < LIMIT else 1


raise SystemExit(main())
