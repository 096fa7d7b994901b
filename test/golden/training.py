"""
What PyTorch's optimiser, clipping, schedules and averages make of a small model, for `generate.py`.

The model is a flow of one affine layer in two dimensions, z = (x + shift) exp(logScale) with a standard normal base, the
loss the mean of -log p over a batch. Every variant switches on one thing more than plain Adam. `parameters`, Adam's moments
and the averages have a line for each step, of what they are after it: for shift (2 numbers), then for logScale (2).
"""

import math

import torch
from torch.optim.swa_utils import AveragedModel

BATCH = 5
RATE = 0.05
START = {"shift": [0.4, -0.7], "logScale": [0.2, -0.3]}

# Batches whose scale changes from step to step, so that some gradients are long and others are short.
SCALES = [3.0, 0.5, 1.0, 6.0, 1.0, 0.3, 2.0, 1.0, 8.0, 0.7, 1.0, 4.0, 0.2, 1.0]

VARIANTS = {
    "Adam": {},
    "other betas": {"betas": [0.7, 0.95]},
    "another epsilon": {"epsilon": 0.1},
    "L2": {"l2": 0.3},
    "clipping": {"clip": 1.5},
    "warm-up": {"warmUp": 6},
    "changes of the learning rate": {"schedule": [{"from": 3, "factor": 0.5}, {"from": 8, "factor": 0.1}]},
    "averaging": {"averaging": 0.6},
    "a parameter that is learned later": {"learnFrom": 4},
}
VARIANTS["all of these"] = {key: value for options in VARIANTS.values() for key, value in options.items()}


class Affine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.tensor(START["shift"]))
        self.log_scale = torch.nn.Parameter(torch.tensor(START["logScale"]))

    def loss(self, x):
        z = (x + self.shift) * self.log_scale.exp()
        log_prob = -0.5 * (z**2).sum(1) - math.log(2 * math.pi) + self.log_scale.sum()
        return -log_prob.mean()

    def numbers(self):
        return [*self.shift.tolist(), *self.log_scale.tolist()]


def train(samples, betas=(0.9, 0.999), epsilon=1e-8, l2=0.0, clip=None, warmUp=0, schedule=(), averaging=None, learnFrom=0):
    model = Affine()
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, betas=tuple(betas), eps=epsilon, weight_decay=l2)

    def factor(step):
        current = 1.0
        for change in schedule:
            if step >= change["from"]:
                current = change["factor"]
        return current * min(1.0, (step + 1) / max(warmUp, 1))

    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    average = None
    if averaging is not None:

        def mean(averaged, current, steps):
            decay = min(averaging, steps / (steps + 9))
            return decay * averaged + (1 - decay) * current

        average = AveragedModel(model, avg_fn=mean)
        average.n_averaged.fill_(1)  # It starts from the weights before the first step, and not from those after it.
    losses, norms, parameters, averages = [], [], [], []
    moments = {"exp_avg": [], "exp_avg_sq": []}
    for step, x in enumerate(samples):
        optimiser.zero_grad(set_to_none=True)
        loss = model.loss(x)
        loss.backward()
        if step < learnFrom:
            model.log_scale.grad = None
        limit = math.inf if clip is None else 2 * clip  # the option is a length a dimension
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), limit).item())
        optimiser.step()
        rates.step()
        losses.append(loss.item())
        parameters.append(model.numbers())
        for name, lines in moments.items():
            states = [optimiser.state[p].get(name, torch.zeros_like(p)) for p in model.parameters()]
            lines.append(torch.cat(states).tolist())
        if average is not None:
            average.update_parameters(model)
            averages.append(average.module.numbers())
    return {
        "losses": losses,
        "norms": norms,
        "parameters": parameters,
        "first": moments["exp_avg"],
        "second": moments["exp_avg_sq"],
        "averages": averages,
    }


def training():
    generator = torch.Generator().manual_seed(14)
    samples = [
        (scale * torch.randn(BATCH, 2, generator=generator) + torch.tensor([1.0, -2.0])).round(decimals=6)
        for scale in SCALES
    ]
    return {
        "torch": torch.__version__.split("+")[0],
        "rate": RATE,
        "start": START,
        "samples": [x.tolist() for x in samples],
        "variants": [{"name": name, "options": o, **train(samples, **o)} for name, o in VARIANTS.items()],
    }
