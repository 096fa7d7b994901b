"""Monotone Flow in JAX: exact Newton regime, the whole training step in one jit.

Ahn et al. 2022: a monotone block is y = w - x with w + G(w) = 2x and
log det dy/dx = log det(I - J(w)) - log det(I + J(w)). Value and tangents of G travel together
(a jet, shape (channels, 3, samples)), Newton runs in a while loop, the gradient is implicit.
With two threads or more the batch is shared out over as many devices of one process: XLA gains
nothing from threads inside products this small.
"""
import os

import protocol

OPTIONS = protocol.parse()
os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
                           f" --xla_force_host_platform_device_count={OPTIONS.threads}")
cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
if len(cpus) > OPTIONS.threads:
    os.sched_setaffinity(0, cpus[-OPTIONS.threads:])  # XLA sizes its pools by the CPUs it may use

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import Mesh, NamedSharding, PartitionSpec  # noqa: E402

import network  # noqa: E402

jax.config.update("jax_enable_x64", bool(OPTIONS.check))
TOLERANCE = 1e-13 if OPTIONS.check else 1e-6


def cpila_parts(p):
    """(min(q, 0), scaled exponential, q) of both halves q = +-p - 0.2 of CPila, shape (2, 8, n)."""
    q = jnp.stack([p - 0.2, -p - 0.2])
    n = jnp.minimum(q, 0)
    return n, jnp.exp(5 * n) / 1.06, q


def cpila(p):
    """CPila (k = 5) and its first derivative, halves stacked: two arrays (2, 8, n)."""
    n, e, q = cpila_parts(p)
    slope = (1 + n * (-5 + n * (12.5 + 62.5 * n))) * e
    return jnp.maximum(q, 0) / 1.06 + n * (1 + n * (12.5 * n - 5)) * e, jnp.stack([slope[0], -slope[1]])


def cpila_curvature(p):
    n, e, _ = cpila_parts(p)
    return n * n * (312.5 * n + 250) * e


def effective(theta, kappa, u, iterations):
    """Spectrally normalised weights with the concatenation scales folded in.

    W / max(1, sigma / coeff), sigma = u' W v differentiated with u, v constant, u from warm
    power iterations on W W'. Folding the scales makes G(x) a chain without concatenations:
    every hidden part a_j is multiplied once by its columns of all the later weights.
    """
    weight, bias = theta[..., :50], theta[..., 50]
    constant = jax.lax.stop_gradient(weight)
    gram = constant @ jnp.swapaxes(constant, -1, -2)

    def normalise(a):
        return a / (jnp.linalg.norm(a, axis=-2, keepdims=True) + 1e-12)
    u = jax.lax.fori_loop(0, iterations, lambda _, u: normalise(gram @ u), u, unroll=iterations <= 5)
    v = normalise(jnp.swapaxes(constant, -1, -2) @ u)
    sigma = jnp.swapaxes(u, -1, -2) @ weight @ v
    weight = weight / jnp.maximum(1, sigma / network.COEFF)

    eta = jax.nn.softplus(kappa) + 0.1
    eta = network.LIP * eta / jnp.linalg.norm(eta, axis=-1, keepdims=True)
    keep, new = eta[..., 0], eta[..., 1]
    one, rows = jnp.ones_like(keep[:, 0]), []
    for layer in range(4):
        row = [jnp.prod(keep[:, :layer], axis=1)] + [
            new[:, j] * jnp.prod(keep[:, j + 1:layer], axis=1) if j < layer else 0 * one for j in range(3)]
        rows.append(jnp.stack(row, 1))
    scale = jnp.repeat(jnp.stack(rows, 1), np.array([2, 16, 16, 16]), axis=2, total_repeat_length=50)
    weight = weight * scale[:, :, None, :]
    count = theta.shape[0]
    return (weight[..., :2].reshape(count, 32, 2)[:, :26], bias.reshape(count, 32)[:, :26],
            weight[:, 1:, :, 2:18].reshape(count, 24, 16)[:, :18],
            weight[:, 2:, :, 18:34].reshape(count, 16, 16)[:, :10], weight[:, 3, :2, 34:50]), u


def hidden_jet(p):
    """Jet (8, 3, n) before the activation -> jet (16, 3, n) after it, flattened for a product."""
    value, slope = cpila(p[:, 0])
    return jnp.concatenate([value[:, :, None], slope[:, :, None] * p[None, :, 1:]], 2).reshape(16, -1)


def network_jet(weights, w):
    """G and its Jacobian at w: jet (2, 3, n) = (G, dG/dw_1, dG/dw_2), and the hidden jets."""
    first, bias, *later = weights
    n = w.shape[1]
    tangents = jnp.broadcast_to(first[:, :, None], (26, 2, n))
    jet = jnp.concatenate([(first[:, :1] * w[:1] + first[:, 1:] * w[1:] + bias[:, None])[:, None], tangents], 1)
    hidden = []
    for a in later:
        p, jet = jet[:8], jet[8:]
        hidden.append(p)
        jet = jet + (a @ hidden_jet(p)).reshape(-1, 3, n)
    return jet, hidden


def determinants(jet):
    """1 / det(I - J) and 1 / det(I + J), with J's four entries."""
    a, b, c, d = jet[0, 1], jet[0, 2], jet[1, 1], jet[1, 2]
    return 1 / ((1 - a) * (1 - d) - b * c), 1 / ((1 + a) * (1 + d) - b * c), (a, b, c, d)


def solve(weights, x):
    """Newton on r(w) = w + G(w) - 2x from w = 2x until |r| <= tolerance (1 + |2x|) everywhere."""
    target = 2 * x
    allowed = TOLERANCE * (1 + jnp.abs(target))

    def evaluate(w):
        jet, hidden = network_jet(weights, w)
        r = w + jet[:, 0] - target
        return w, r, jet, hidden

    def newton(state):
        count, (w, r, jet, _) = state
        _, inverse, (a, b, c, d) = determinants(jet)
        delta = jnp.stack([(1 + d) * r[0] - b * r[1], (1 + a) * r[1] - c * r[0]]) * inverse
        return count + 1, evaluate(w - delta)

    def unfinished(state):
        count, (_, r, _, _) = state
        return (count < 40) & jnp.any(jnp.abs(r) > allowed)
    _, (w, _, jet, hidden) = jax.lax.while_loop(unfinished, newton, (0, evaluate(target)))
    return w, jet, hidden


@jax.custom_vjp
def block(weights, x):
    """Monotone block: y = w - x and log det(I - J) - log det(I + J)."""
    return block_forward(weights, x)[0]


def block_forward(weights, x):
    w, jet, hidden = solve(weights, x)
    minus, plus, _ = determinants(jet)
    return (w - x, jnp.log(plus) - jnp.log(minus)), (weights, w, jet, hidden)


def block_backward(saved, cotangents):
    """Implicit gradient: tangent cotangents s_k = -2 lam (I - J^2)^-T e_k through the jets give
    the log-determinant's part wbar; then (I + J)^T u = ybar + wbar, xbar = 2u - ybar, and the
    parameters receive -(dG/dtheta)^T u."""
    (first, _, *later), w, jet, hidden = saved
    ybar, lam = cotangents
    n = w.shape[1]
    minus, plus, (a, b, c, d) = determinants(jet)
    s = -lam * jnp.stack([jnp.stack([(1 - d) * minus + (1 + d) * plus, c * (minus - plus)]),
                          jnp.stack([b * (minus - plus), (1 - a) * minus + (1 + a) * plus])])
    bars = jnp.concatenate([jnp.zeros_like(w)[:, None], s], 1)
    slopes = [None] * 3
    for j in (2, 1, 0):
        p = hidden[j]
        h = (later[j].T @ bars.reshape(-1, 3 * n)).reshape(2, 8, 3, n)
        slopes[j], curvature = cpila(p[:, 0])[1], cpila_curvature(p[:, 0])
        value = (slopes[j] * h[:, :, 0] + curvature * (h[:, :, 1:] * p[:, 1:]).sum(2)).sum(0)
        tangents = (slopes[j][:, :, None] * h[:, :, 1:]).sum(0)
        bars = jnp.concatenate([jnp.concatenate([value[:, None], tangents], 1), bars])
    g = ybar + first.T @ bars[:, 0]
    u = jnp.stack([(1 + d) * g[0] - c * g[1], (1 + a) * g[1] - b * g[0]]) * plus
    values = -u
    for j in (2, 1, 0):
        h = (later[j].T @ values).reshape(2, 8, n)
        values = jnp.concatenate([(slopes[j] * h).sum(0), values])
    bars = bars.at[:, 0].add(values)

    def outer(left, right):
        return jax.lax.dot_general(left, right, (((1,), (1,)), ((), ())))
    gradients = (outer(bars[:, 0], w) + bars[:, 1:].sum(2), bars[:, 0].sum(1), *(
        outer(bars[8 * (j + 1):].reshape(-1, 3 * n), hidden_jet(hidden[j])) for j in range(3)))
    return gradients, 2 * u - ybar


block.defvjp(block_forward, block_backward)


def negative_log_likelihood(weights, x):
    def chain(carry, one):
        y, logdet = block(one, carry[0])
        return (y, carry[1] + logdet), None
    (z, logdet), _ = jax.lax.scan(chain, (x, jnp.zeros_like(x[0])), weights)
    return jnp.mean((z ** 2).sum(0) / 2 - logdet) + np.log(2 * np.pi)


def training_step(state, x, learnable):
    """One step of Adam (L2 added to the gradient); `learnable`: whether kappa is trained too."""
    parameters, u, first, second, count = state

    def loss(parameters):
        weights, u_next = effective(*parameters, u, network.POWER_ITERATIONS)
        return negative_log_likelihood(weights, x), u_next
    (value, u), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
    gradient = jax.lax.pmean(gradient, "rank")
    count = count + 1

    def adam(p, g, m, v):
        g = g + network.WEIGHT_DECAY * p
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = network.LEARNING_RATE * (m / (1 - 0.9 ** count)) / (jnp.sqrt(v / (1 - 0.999 ** count)) + 1e-8)
        return p - step, m, v
    theta = adam(parameters[0], gradient[0], first[0], second[0])
    kappa = (parameters[1], first[1], second[1])
    if learnable:
        kappa = adam(parameters[1], gradient[1], first[1], second[1])
    parameters, first, second = zip(theta, kappa)
    return (parameters, u, first, second, count), jax.lax.pmean(value, "rank")


class Peer:
    name, version = "jax-newton", jax.__version__

    def __init__(self, seed, threads):
        parameters = tuple(a.astype(np.float32) for a in network.pack(
            network.initial_blocks(np.random.default_rng(seed))))
        zeros = tuple(map(np.zeros_like, parameters))
        mesh = Mesh(np.array(jax.devices()), ("rank",))
        everywhere, self.shards = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, "rank"))
        state = (parameters, network.initial_vectors().astype(np.float32), zeros, zeros, np.float32(0))
        self.state, self.done = jax.device_put(state, everywhere), 0

        def compiled(learnable):
            return jax.jit(jax.shard_map(
                lambda state, x: training_step(state, x, learnable), mesh=mesh, check_vma=False,
                in_specs=(PartitionSpec(), PartitionSpec(None, "rank")), out_specs=PartitionSpec()), donate_argnums=0)
        self.held, self.learnable = compiled(False), compiled(True)
        self.evaluate = jax.jit(lambda parameters, u, x: negative_log_likelihood(
            effective(*parameters, u, 200)[0], x))

    def warm_up(self):
        copy = jax.tree.map(jnp.copy, self.state)
        jax.block_until_ready(self.held(copy, jax.device_put(np.ones((2, 500), np.float32), self.shards)))

    def step(self, x):
        self.done += 1
        train = self.held if self.done < network.CONCAT_LEARNABLE_FROM else self.learnable
        self.state, loss = train(self.state, jax.device_put(x, self.shards))
        loss.block_until_ready()

    def test_loss(self, x):
        return self.evaluate(self.state[0], self.state[1], x)


def block_vjp(parameters, x):
    theta, kappa = network.pack([parameters])

    def flow(theta, kappa, x):
        weights, _ = effective(theta, kappa, jnp.asarray(network.initial_vectors(1)), 20_000)
        return block(tuple(a[0] for a in weights), x)
    (y, logdet), vjp = jax.vjp(flow, theta, kappa, x)

    def pullback(ybar, lam):
        theta, kappa, xbar = vjp((jnp.asarray(ybar), jnp.asarray(lam)))
        return np.asarray(xbar), network.unpack(np.asarray(theta)[0], np.asarray(kappa)[0])
    return np.asarray(y), np.asarray(logdet), pullback


if __name__ == "__main__":
    protocol.main(OPTIONS, Peer, block_vjp)
