"""Multi-scale image flow in PyTorch with the algorithms of the original study (Ahn et al. 2022).

As the study's public code does it: w of w + G(w) = 2x and the transposed equation of the backward
pass from a fixed-point iteration with one-step (secant, Anderson m = 1) acceleration, all samples
until the last has converged, and a damped iteration to fall back on; log-determinants from
vector-Jacobian products with random probes, as many as n_exact plus a Poisson number, and their
gradient from the Neumann series and one more pass (Residual Flows' memory-efficient form): a block
keeps three tensors of its input's size for the backward pass, and no graph goes through a series.
Kinder than that code: products and jets are hand-written, channels last, and compiled (Inductor);
one series of products with J^T serves the value and the gradient; the weights of a step are
normalised once; memory is not given back to the system between steps.

    python torch_images.py --preset mnist-small --steps 5 --threads 2 --json
    python torch_images.py --config @FILE | JSON     # keys as in images.json, over those of the preset
    python torch_images.py --check DIR               # golden vectors in float64
"""
import argparse
import ctypes
import json
import math
import os
import resource
import statistics
import sys
import time

import protocol

HERE = os.path.dirname(os.path.abspath(__file__))
WARM_UP = 2


def parse():
    with open(os.path.join(HERE, "images.json"), encoding="utf-8") as file:
        presets = json.load(file)
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", choices=presets, default="mnist-small")
    parser.add_argument("--config", metavar="JSON|@FILE", help="values that replace those of the preset")
    parser.add_argument("--steps", type=int, default=5, help=f"steps that are timed, after {WARM_UP} to warm up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--piece", type=int, default=0, help="samples that a thread computes together (default: its part)")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON in any case")
    parser.add_argument("--check", metavar="DIR", help="verify against the golden vectors in DIR")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps must be at least 1")
    given = options.config or "{}"
    if given.startswith("@"):
        with open(given[1:], encoding="utf-8") as file:
            given = file.read()
    options.config = {**presets[options.preset], **json.loads(given)}
    protocol.limit_threads(1)
    return options


OPTIONS = parse()
import torch  # noqa: E402
from torch import nn  # noqa: E402

import images_network as network  # noqa: E402

import numpy as np  # noqa: E402

torch._dynamo.config.recompile_limit = 64
DTYPE = torch.float64 if OPTIONS.check else torch.float32
COMPILE = not (OPTIONS.check or OPTIONS.eager) and protocol.can_compile(torch)


def compiled(function):
    return torch.compile(function, dynamic=False, fullgraph=True) if COMPILE else function


def keep_memory():
    """glibc would map and unmap every large tensor, whose pages then cost more than many products."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, at its greatest
    mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    mallopt(-8, 1)  # M_ARENA_MAX


def per_sample(x):
    return x.flatten(1).sum(1).view(-1, *[1] * (x.dim() - 1))


def accelerated(image, x, target, before, mix):
    """One step of x <- f(x) - m (f(x) - f(x_before)), m from the last two residuals of each sample.

    Returns the largest residual in the measure of the tolerance, and f(x), its residual, the next x.
    """
    residual = image - x
    size = torch.maximum(target.abs(), x.abs()).flatten(1).amax(1).clamp(min=1)
    error = (residual.abs().flatten(1).amax(1) / size).amax()
    image_before, residual_before = before
    change = residual - residual_before
    m = mix * per_sample(change * residual) / (per_sample(change * change) + 1e-12)
    return error, (image, residual), image - m * (image - image_before)


@compiled
def forward_step(act, weights, x, target, before, mix):
    """The next iterate of w = target - G(w)."""
    return accelerated(target - network.value(act, weights, x), x, target, before, mix)


@compiled
def transposed_step(t, slopes, x, target, before, mix):
    """The next iterate of u = target - J^T u."""
    return accelerated(target - network.vjp(t, slopes, x), x, target, before, mix)


@compiled
def series_step(t, slopes, v, r, s, total, of_gradient, of_value):
    """r = (J^T)^k v -> (J^T)^(k+1) v, the weighted sums of r for the gradient and of v^T J^k v."""
    r = network.vjp(t, slopes, r)
    return r, s + of_gradient * r, total + of_value * (r * v).flatten(1).sum(1)


@compiled
def network_value(act, weights, x):
    return network.value(act, weights, x)


@compiled
def slopes_at(act, weights, x):
    return network.slopes(act, weights, x)


@compiled
def tangent_pass(act, weights, t, x, v, s):
    parts, pres, slopes = network.jet(act, weights, x, v)
    return parts, pres, slopes, *network.tangent_backward(act, weights, t, pres, slopes, s)


@compiled
def gradient_pass(act, weights, t, parts, pres, slopes, pre, tangent_parts, s, u, to_input):
    """J^T u, if asked, and the gradient of s^T J v + u^T G for the weights."""
    cotangents = []
    back = network.vjp(t, slopes, u, cotangents, to_input)
    *value_parts, value_pre = cotangents
    return back, network.weight_gradients(
        act, weights, t, parts, pres, pre, tangent_parts, s, u, value_parts, value_pre)


def use_one_core():
    """Each process does; its shard of the batch is large enough."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


use_one_core()
ZERO, ONE = torch.zeros((), dtype=DTYPE), torch.ones((), dtype=DTYPE)


def solve(step, target, tolerance, counts, limit=1000, patience=10):
    """x = f(x) from x = target, until every sample is within the tolerance; step as in `accelerated`."""
    x, before, mix = target, (target, target), ZERO
    best, best_at, count = math.inf, 0, 0
    while True:
        count += 1
        error, now, following = step(x, target, before, mix)
        error = error.item()
        if error <= tolerance or count >= limit:
            counts.append(count)
            return x
        if error < best:
            best, best_at = error, count
        elif count >= best_at + patience:
            # Averaging contracts by (1 + Lip) / 2 for certain.
            x = x + 0.5 * now[1]
            before, mix = now, ZERO
            continue
        x, before, mix = following, now, ONE


def series_terms(n, exact, rate, monotone):
    """Factors of (J^T)^k v in the gradient's cotangent and of v^T J^k v in the log-determinant, k = 0..n.

    Both carry 1 / P(N >= k), N = exact + Poisson(rate).
    """
    terms, tail, mass = [], 1.0, math.exp(-rate)
    for k in range(n + 1):
        if k > exact:
            tail -= mass
            mass *= rate / (k - exact)
        odd, weight = k % 2, 1 / tail
        if monotone:
            terms.append((0.0, -2 * weight / k) if odd else (-2 * weight, 0.0))
        else:
            terms.append((-weight, weight / k) if odd else (weight, -weight / k if k else 0.0))
    return terms


class BlockFunction(torch.autograd.Function):
    """y and the log-determinant's estimate; keeps the point, the probe and its cotangent for the backward pass."""

    @staticmethod
    def forward(ctx, block, terms, v, x, *flat):
        act, constant, t = block.network.act, block.constant, block.transposed
        if block.monotone:
            w = solve(lambda *state: forward_step(act, constant, *state), 2 * x, block.tolerance, block.forward_counts)
            y = w - x
        else:
            w, y = x, x + network_value(act, constant, x)
        slopes = slopes_at(act, constant, w)
        r, s, total = v, terms[0][0] * v, torch.zeros(len(v), dtype=v.dtype)
        for factors in torch.tensor(terms[1:], dtype=v.dtype):
            r, s, total = series_step(t, slopes, v, r, s, total, *factors)
        ctx.save_for_backward(w, v, s)
        ctx.block = block
        return y, total

    @staticmethod
    def backward(ctx, ybar, lam):
        w, v, s = ctx.saved_tensors
        block = ctx.block
        act, constant, t = block.network.act, block.constant, block.transposed
        s = s * lam.view(-1, *[1] * (s.dim() - 1))
        ybar = network.last(ybar)
        parts, pres, slopes, wbar, pre, tangent_parts = tangent_pass(act, constant, t, w, v, s)
        u = ybar
        if block.monotone:
            u = -solve(lambda *state: transposed_step(t, slopes, *state), ybar + wbar, block.tolerance,
                       block.backward_counts)
        back, gradient = gradient_pass(
            act, constant, t, parts, pres, slopes, pre, tangent_parts, s, u, not block.monotone)
        xbar = -2 * u - ybar if block.monotone else ybar + wbar + back
        return None, None, None, xbar, *gradient.flat()


class Block(nn.Module):
    """One block: y = w - x with w + G(w) = 2x, or y = x + G(x)."""

    def __init__(self, net, monotone, tolerance):
        super().__init__()
        self.network, self.monotone, self.tolerance = net, monotone, tolerance
        self.forward_counts, self.backward_counts = [], []

    def prepare(self):
        """Folds the weights once for all pieces of a batch; their gradients gather at `leaves`."""
        self.like = self.network.folded()
        self.folded = self.like.flat()
        self.load(self.folded)

    def load(self, folded):
        """Takes the folded weights as they are."""
        self.leaves = [part.detach().requires_grad_() for part in folded]
        self.constant, self.transposed = network.constants(network.unflatten(self.leaves, self.like))

    def forward(self, x, v, terms):
        return BlockFunction.apply(self, terms, v, network.last(x), *self.leaves)


class ActNorm(nn.Module):
    """y = (x + shift) e^logScale for each channel, normalising the first batch."""

    def __init__(self, channels):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels, dtype=DTYPE))
        self.log_scale = nn.Parameter(torch.zeros(channels, dtype=DTYPE))
        self.known = False

    def forward(self, x):
        if not self.known:
            self.known, over = True, [0, *range(2, x.dim())]
            with torch.no_grad():
                self.shift.copy_(-x.mean(over))
                self.log_scale.copy_(-torch.log(x.std(over) + 1e-6))
        column = (-1, *[1] * (x.dim() - 2))
        y = (x + self.shift.view(column)) * self.log_scale.exp().view(column)
        return y, self.log_scale.sum() * math.prod(x.shape[2:])


class Flow(nn.Module):
    """Logit, scales of blocks on squeezed images, fully connected blocks; no factor-out."""

    def __init__(self, config, rng):
        super().__init__()
        self.config, shape = config, tuple(config["shape"])
        self.numbers, self.chain = math.prod(shape), nn.ModuleList()
        common = [config["depth"], config["activation"], config["coeff"], config["lip"]]

        def append(inputs, growth, stem=None):
            depth, *rest = common
            net = network.Network(inputs, depth, growth, *rest, rng, stem, DTYPE)
            net.update()
            self.chain.append(Block(net, config["formulation"] == "monotone", config["tolerance"]))
            self.chain.append(ActNorm(inputs[0]))

        for scale, count in enumerate(config["blocks"]):
            if scale > 0 or config["squeezeFirst"]:
                c, h, w = shape
                if h % 2 or w % 2:
                    raise ValueError(f"images of {h} x {w} pixels cannot be squeezed at scale {scale}")
                shape = (4 * c, h // 2, w // 2)
                self.chain.append(nn.PixelUnshuffle(2))
            for _ in range(count):
                append(shape, config["growth"])
        if config["fc"] and config["fc"]["blocks"]:
            self.chain.append(nn.Flatten())
            for _ in range(config["fc"]["blocks"]):
                append((self.numbers,), config["fc"]["growth"], config["fc"]["stem"])
        self.blocks = [part for part in self.chain if isinstance(part, Block)]

    def forward(self, y, generator, terms):
        """z and log det dz/dy, with one probe a sample and the terms of `draw_terms`."""
        total = torch.zeros(len(y), dtype=y.dtype)
        terms = iter(terms)
        for part in self.chain:
            if isinstance(part, Block):
                v = network.last(torch.randn(y.shape, dtype=y.dtype, generator=generator))
                y, logdet = part(y, v, next(terms))
            elif isinstance(part, ActNorm):
                y, logdet = part(y)
            else:
                y, logdet = part(y), 0
            total = total + logdet
        return y, total

    def take_counts(self):
        """Evaluations of all solves, forward and backward, since the last call."""
        taken = [[n for block in self.blocks for n in block.forward_counts],
                 [n for block in self.blocks for n in block.backward_counts]]
        for block in self.blocks:
            block.forward_counts.clear()
            block.backward_counts.clear()
        return taken

    def draw_terms(self, rng):
        """One number of terms a block, for the whole batch."""
        exact, rate = self.config["nExact"], self.config["poisson"]
        return [series_terms(exact + int(rng.poisson(rate)), exact, rate, block.monotone) for block in self.blocks]

    def nats(self, pixels, generator, terms):
        """-log p of integer pixels (n, C, H, W) with fresh uniform noise, as numbers in [0, levels)."""
        levels, alpha = self.config["levels"], self.config["alpha"]
        x = (pixels + torch.rand(pixels.shape, dtype=DTYPE, generator=generator)) / levels
        a = alpha + (1 - 2 * alpha) * x
        log_a, log_b = torch.log(a), torch.log1p(-a)
        z, logdet = self(log_a - log_b, generator, terms)
        logdet = logdet - (log_a + log_b).flatten(1).sum(1)
        constant = self.numbers * (math.log(2 * math.pi) / 2 + math.log(levels / (1 - 2 * alpha)))
        return (z ** 2).flatten(1).sum(1) / 2 - logdet + constant


class Shard:
    """What one process computes: -log p and its gradients for a part of the batch, piece by piece."""

    def __init__(self, config, seed, rank, piece):
        self.rng = np.random.default_rng(seed)
        self.flow, self.piece = Flow(config, self.rng), piece
        self.direct = [p for part in self.flow.chain if isinstance(part, ActNorm) for p in part.parameters()]
        self.generator = torch.Generator().manual_seed(seed * 1000 + rank)

    def leaves(self):
        return [*(leaf for block in self.flow.blocks for leaf in block.leaves), *self.direct]

    def gradients(self, pixels, terms):
        """Sum of -log p, and its gradients: these cotangents do not shrink with the size of the batch, so that the
        tolerance means the same in both solves."""
        total, gradients = 0.0, None
        for piece in pixels.split(self.piece or len(pixels)):
            nats = self.flow.nats(piece, self.generator, terms).sum()
            more = torch.autograd.grad(nats, self.leaves())
            total += nats.item()
            if gradients is None:
                gradients = list(more)
            else:
                torch._foreach_add_(gradients, more)
        return total, gradients


class Helper:
    """A process with a shard of its own. Weights, gradients and pixels lie in shared memory."""

    def __init__(self, config, seed, rank, piece, leaves, pixels):
        context = torch.multiprocessing.get_context("spawn")
        self.weights = [leaf.detach().clone().share_memory_() for leaf in leaves]
        self.gradients = [torch.zeros_like(leaf).share_memory_() for leaf in self.weights]
        self.pixels = pixels.clone().share_memory_()
        self.pipe, other = context.Pipe()
        context.Process(target=Helper.work, daemon=True, args=(
            config, seed, rank, piece, self.weights, self.gradients, self.pixels, other)).start()

    @staticmethod
    def work(config, seed, rank, piece, weights, gradients, pixels, pipe):
        keep_memory()
        shard = Shard(config, seed, rank, piece)
        blocks, direct = shard.flow.blocks, shard.direct
        for part in shard.flow.chain:
            part.known = True
        for block in blocks:
            block.prepare()
        while True:
            try:
                terms = pipe.recv()
            except EOFError:  # The main process has ended.
                return
            if terms is None:
                pipe.send((shard.flow.take_counts(), peak_megabytes()))
                reset_peak()
                continue
            rest = iter(weights)
            for block in blocks:
                block.load([next(rest) for _ in block.folded])
            for parameter, value in zip(direct, rest):
                parameter.data.copy_(value)
            total, new = shard.gradients(pixels, terms)
            torch._foreach_copy_(gradients, new)
            pipe.send(total)

    def start(self, leaves, pixels, terms):
        torch._foreach_copy_(self.weights, [leaf.detach() for leaf in leaves])
        self.pixels.copy_(pixels)
        self.pipe.send(terms)

    def answer(self):
        if not self.pipe.poll(600):
            raise RuntimeError("a helper process gave no answer in ten minutes")
        return self.pipe.recv()


class Peer:
    """Trains. With several threads the batch is shared out over as many processes of one thread, which scales better
    than threads inside products: these wait for each other at every one of them."""

    name, version = "torch-images", torch.__version__

    def __init__(self, config, seed, threads, piece):
        self.shard = Shard(config, seed, 0, piece)
        self.flow, self.rng, self.direct = self.shard.flow, self.shard.rng, self.shard.direct
        self.parameters = [p for p in self.flow.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, lr=config["learningRate"], fused=True)
        self.config, self.seed, self.threads, self.helpers = config, seed, threads, []

    def prepare(self):
        for block in self.flow.blocks:
            block.network.update()
            block.prepare()

    def initialise(self, pixels):
        """Data-dependent activation normalisation, helpers, and all compiling."""
        self.prepare()
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            self.flow.nats(pixels, self.shard.generator, self.flow.draw_terms(self.rng))
        mine, *others = pixels.tensor_split(self.threads)
        self.shard.gradients(mine, self.flow.draw_terms(self.rng))
        self.helpers = [Helper(self.config, self.seed, rank, self.shard.piece, self.shard.leaves(), part)
                        for rank, part in enumerate(others, 1)]
        self.gradients(pixels)

    def gradients(self, pixels):
        terms = self.flow.draw_terms(self.rng)
        mine, *others = pixels.tensor_split(self.threads)
        leaves = self.shard.leaves()
        for helper, part in zip(self.helpers, others):
            helper.start(leaves, part, terms)
        total, gradients = self.shard.gradients(mine, terms)
        for helper in self.helpers:
            total += helper.answer()
            torch._foreach_add_(gradients, helper.gradients)
        return total, gradients

    def step(self, pixels):
        """One training step on a batch of integer pixels; the loss in bits/dim."""
        self.prepare()
        self.optimiser.zero_grad(set_to_none=True)
        total, gradients = self.gradients(pixels)
        torch._foreach_div_(gradients, float(len(pixels)))
        folded = [part for block in self.flow.blocks for part in block.folded]
        torch.autograd.backward([*folded, *self.direct], gradients)
        nn.utils.clip_grad_norm_(self.parameters, self.config["clip"], foreach=True)
        self.optimiser.step()
        return total / (len(pixels) * self.flow.numbers * math.log(2))

    def measures(self):
        """Mean evaluations a solve, and the memory of all processes at most, since the last call."""
        for helper in self.helpers:
            helper.pipe.send(None)
        parts = [(self.flow.take_counts(), peak_megabytes()), *(helper.answer() for helper in self.helpers)]
        reset_peak()
        forward, backward = ([n for counts, _ in parts for n in counts[i]] for i in (0, 1))

        def mean(counts):
            return round(statistics.fmean(counts), 2) if counts else None
        return {"evaluations": {"forward": mean(forward), "backward": mean(backward)},
                "peakMemoryMB": round(sum(peak for _, peak in parts), 1)}


def random_images(config, count, rng):
    """Uniform noise, averaged over 3 x 3 pixels: integers 0..levels - 1."""
    noise = torch.from_numpy(rng.random((count, *config["shape"]), dtype=np.float32))
    smooth = nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)
    return (smooth * config["levels"]).clamp(max=config["levels"] - 1).floor().to(DTYPE)


def reset_peak():
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass  # The peak then includes compiling.


def peak_megabytes():
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train(options):
    config = options.config
    peer = Peer(config, options.seed, options.threads, options.piece)
    data = np.random.default_rng(np.random.SeedSequence(options.seed).spawn(1)[0])
    peer.initialise(random_images(config, config["batch"], data))
    times, losses = [], []
    for step in range(WARM_UP + options.steps):
        pixels = random_images(config, config["batch"], data)
        if step == WARM_UP:
            peer.measures()
        start, cpu_start = time.perf_counter(), time.process_time()
        losses.append(peer.step(pixels))
        times.append(time.perf_counter() - start)
        cpu = time.process_time() - cpu_start
        print(f"step {step}: {times[-1]:.3f} s ({cpu:.3f} s of its processor), {losses[-1]:.3f} bits/dim", file=sys.stderr, flush=True)
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"loss {losses[-1]} at step {step}")
    times = times[WARM_UP:]
    return {
        "name": peer.name, "version": peer.version, "preset": options.preset, "formulation": config["formulation"],
        "activation": config["activation"], "compiled": COMPILE, "threads": options.threads, "seed": options.seed,
        "steps": options.steps, "msPerStep": round(1e3 * statistics.median(times), 1),
        "fastest": round(1e3 * min(times), 1), "slowest": round(1e3 * max(times), 1),
        "losses": [round(loss, 5) for loss in losses], **peer.measures(),
        "parameters": sum(p.numel() for p in peer.parameters),
    }


def main(options):
    """Print exactly one JSON object on stdout."""
    out, sys.stdout = sys.stdout, sys.stderr
    keep_memory()
    result, status = {"name": Peer.name}, 0
    if options.check:
        import images_check
        try:
            images_check.check(sys.modules[__name__], options.check)
            result["check"] = "passed"
        except AssertionError as error:
            result["check"], status = f"failed: {error}", 1
    else:
        result = train(options)
    print(json.dumps(result), file=out, flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main(OPTIONS)
