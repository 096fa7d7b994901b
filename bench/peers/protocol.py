"""What every peer shares: options, the timed training loop, the golden check, the JSON line.

A peer is a module-level class with
    name, version                 strings
    Peer(seed, threads)           builds the model
    warm_up()                     compiles everything without touching the training state
    step(x)                       one training step on x of shape (2, 500); returns when done
    test_loss(x)                  mean of -log p(x) in nats on x of shape (2, n)
and, for monotone flows, a function
    block_vjp(block, x) -> y, logdet, pullback;  pullback(ybar, lam) -> xbar, gradients
for one block in float64 with the converged spectral norm.
Import this module before a framework: it limits the threads, which frameworks read only once.
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import sysconfig
import time

BATCH, TEST_SAMPLES, TARGET_EVERY, WARM_UP = 500, 10_000, 250, 20


def parse():
    """Read the command line and limit the process to the wanted number of threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="accepted; the output is JSON in any case")
    parser.add_argument("--test-every", type=int, default=0, metavar="N")
    parser.add_argument("--target", type=float, nargs="*", default=[], metavar="NATS")
    parser.add_argument("--check", metavar="DIR", help="verify against the golden vectors in DIR")
    options = parser.parse_args()
    if options.steps <= WARM_UP:
        parser.error(f"--steps must be more than the warm-up of {WARM_UP}")
    limit_threads(options.threads)
    return options


def limit_threads(threads):
    """Before a framework is imported, which reads the limit only once."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        os.environ[name] = str(threads)


def can_compile(torch):
    """Whether torch.compile can work here: PyTorch 2, a C++ compiler and Python's headers."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    return hasattr(torch, "compile") and compiler is not None and os.path.exists(header)


def train(peer, options):
    """Train and time. Sampling counts, compiling and testing do not."""
    import numpy as np
    from data import two_spirals

    streams = np.random.SeedSequence(options.seed).spawn(2)
    rng, test_rng = (np.random.Generator(np.random.SFC64(stream)) for stream in streams)
    peer.warm_up()
    times, losses = [], []
    seconds_to = {target: None for target in options.target}
    for step in range(1, options.steps + 1):
        start = time.perf_counter()
        peer.step(two_spirals(rng, BATCH))
        times.append(time.perf_counter() - start)
        asked = options.test_every and (step % options.test_every == 0 or step == options.steps)
        wanted = options.target and step % TARGET_EVERY == 0
        if asked or wanted:
            loss, seconds = float(peer.test_loss(two_spirals(test_rng, TEST_SAMPLES))), sum(times)
            if not np.isfinite(loss):
                raise FloatingPointError(f"test loss {loss} after {step} steps")
            if asked:
                losses.append({"step": step, "seconds": round(seconds, 3), "testLoss": round(loss, 5)})
            for target, reached in seconds_to.items():
                if wanted and reached is None and loss <= target:
                    seconds_to[target] = round(seconds, 3)

    def milliseconds(part):
        return round(1e3 * statistics.median(part), 3)

    return {
        "name": peer.name, "version": peer.version, "threads": options.threads, "seed": options.seed,
        "steps": options.steps, "msPerStep": milliseconds(times[WARM_UP:]),
        "msPerStepFresh": milliseconds(times[WARM_UP:120]), "msPerStepLate": milliseconds(times[-100:]),
        "seconds": round(sum(times), 3), "losses": losses,
        "secondsTo": {f"{target:.2f}": seconds for target, seconds in seconds_to.items()},
    }


def check(block_vjp, directory):
    """Compare one monotone block and a two-block flow with the golden vectors (float64, 1e-6)."""
    import numpy as np

    def load(name):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return json.load(file)

    def same(what, got, want):
        got, want = np.asarray(got), np.asarray(want)
        error = np.abs(got - want).max() / max(np.abs(want).max(), 1e-12)
        if not error <= 1e-6:
            raise AssertionError(f"{what}: relative error {error:.2e}")

    def same_block(what, got, want):
        for kind in ("weight", "bias", "concat"):
            for layer, (a, b) in enumerate(zip(got[kind], want[kind], strict=True)):
                same(f"{what} {kind} {layer}", a, b)

    case = next(c for c in load("dense-blocks.json")["cases"]
                if c["activation"] == "CPila" and c["dim"] == 2 and c["growth"] == 16)
    golden = case["blocks"]["monotone"]
    y, logdet, pullback = block_vjp(case["parameters"], np.array(case["x"]).T)
    same("y", y.T, golden["y"])
    same("logDet", logdet, golden["logDet"])
    xbar, gradient = pullback(np.array(case["cotangent"]["y"]).T, np.array(case["cotangent"]["logDet"]))
    same("gradient x", xbar.T, golden["gradient"]["x"])
    same_block("gradient", gradient, golden["gradient"])

    # Two blocks between activation normalisations y = (x + shift) exp(logScale), chained here.
    flow = load("flow.json")
    scale, shift = np.exp(flow["logScale"]), np.array(flow["shift"])
    x = np.array(flow["x"]).T
    count, total, pullbacks = x.shape[1], 0.0, []
    for block, s, t in zip(flow["blocks"], scale, shift):
        x, logdet, pullback = block_vjp(block, (x + t[:, None]) * s[:, None])
        total = total + logdet + np.log(s).sum()
        pullbacks.append(pullback)
    z = (x + shift[-1][:, None]) * scale[-1][:, None]
    total = total + np.log(scale[-1]).sum()
    logprob = total - (z ** 2).sum(0) / 2 - np.log(2 * np.pi)
    for name, value in (("z", z.T), ("logDet", total), ("logProb", logprob), ("nll", -logprob.mean())):
        same(f"flow {name}", value, flow[name])
    cotangent = z / count * scale[-1][:, None]
    for index in (1, 0):
        cotangent, gradient = pullbacks[index](cotangent, np.full(count, -1 / count))
        same_block(f"flow block {index}", gradient, flow["gradient"]["blocks"][index])
        cotangent = cotangent * scale[index][:, None]


def main(options, peer, block_vjp=None):
    """Do what the options ask and print exactly one JSON object on stdout."""
    out, sys.stdout = sys.stdout, sys.stderr  # nothing that a compiler prints may spoil the line
    result, status = {"name": peer.name}, 0
    if options.check:
        try:
            if block_vjp is None:
                raise AssertionError("no golden vectors for this model")
            check(block_vjp, options.check)
            result["check"] = "passed"
        except AssertionError as error:
            result["check"], status = f"failed: {error}", 1
    else:
        result = train(peer(options.seed, options.threads), options)
    print(json.dumps(result), file=out, flush=True)
    sys.exit(status)
