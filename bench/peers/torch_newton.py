"""Monotone Flow in PyTorch: exact Newton regime with hand-written jets, compiled by Inductor.

Ahn et al. 2022: a monotone block is y = w - x with w + G(w) = 2x and
log det dy/dx = log det(I - J(w)) - log det(I + J(w)). Value and tangents of G travel together
through one product of 3 x 500 columns, the 2x2 systems are solved in closed form, and the
gradient is implicit. The chain of ten blocks is differentiated by hand, block by block, which is
cheaper here than an autograd tape; only the spectral norms go through autograd.
With two threads or more the batch is shared out over as many processes of one thread, with the
weights and gradients in shared memory: threads inside products this small only cost time, and
threads of one process wait for each other's interpreter lock.
"""
import math

import protocol

OPTIONS = protocol.parse()
import numpy as np  # noqa: E402
import torch  # noqa: E402

import network  # noqa: E402

torch.set_num_threads(1)
TOLERANCE = 1e-13 if OPTIONS.check else 1e-6
DTYPE = torch.float64 if OPTIONS.check else torch.float32
SIGNS = torch.tensor([1.0, -1.0], dtype=DTYPE).view(2, 1, 1)


def compiled(function):
    """Inductor with static shapes and the C++ wrapper; the check runs the same code uncompiled."""
    if OPTIONS.check or not protocol.can_compile(torch):
        return function
    return torch.compile(function, dynamic=False, fullgraph=True, options={"cpp_wrapper": True})


def cpila_parts(p):
    """(min(q, 0), scaled exponential, q) of both halves q = +-p - 0.2 of CPila, shape (2, 8, n)."""
    q = SIGNS * p - 0.2
    n = q.clamp(max=0)
    return n, torch.exp(5 * n) / 1.06, q


def cpila(p):
    """CPila (k = 5) and its first derivative, halves stacked: two tensors (2, 8, n)."""
    n, e, q = cpila_parts(p)
    return q.clamp(min=0) / 1.06 + n * (1 + n * (12.5 * n - 5)) * e, SIGNS * (1 + n * (-5 + n * (12.5 + 62.5 * n))) * e


def cpila_curvature(p):
    n, e, _ = cpila_parts(p)
    return n * n * (312.5 * n + 250) * e


def effective(theta, kappa, u, iterations):
    """Spectrally normalised weights with the concatenation scales folded in, for all blocks.

    W / max(1, sigma / coeff), sigma = u' W v differentiated with u, v constant, u from warm
    power iterations on W W'. Folding the scales makes G(x) a chain without concatenations:
    every hidden part a_j is multiplied once by its columns of all the later weights.
    """
    weight, bias = theta[..., :50], theta[..., 50]
    constant = weight.detach()
    gram = constant @ constant.transpose(-1, -2)
    for _ in range(iterations):
        u = gram @ u
        u = u / (torch.linalg.vector_norm(u, dim=-2, keepdim=True) + 1e-12)
    v = constant.transpose(-1, -2) @ u
    v = v / (torch.linalg.vector_norm(v, dim=-2, keepdim=True) + 1e-12)
    sigma = (u * (weight @ v)).sum(-2, keepdim=True)
    weight = weight / torch.clamp(sigma / network.COEFF, min=1)

    eta = torch.nn.functional.softplus(kappa) + 0.1
    eta = network.LIP * eta / torch.linalg.vector_norm(eta, dim=-1, keepdim=True)
    keep, new = eta[..., 0], eta[..., 1]
    rows = []
    for layer in range(4):
        parts = [keep[:, :layer].prod(1, keepdim=True).expand(-1, 2)]
        for j in range(3):
            scale = new[:, j:j + 1] * keep[:, j + 1:layer].prod(1, keepdim=True) if j < layer else 0 * new[:, j:j + 1]
            parts.append(scale.expand(-1, 16))
        rows.append(torch.cat(parts, 1))
    weight = weight * torch.stack(rows, 1)[:, :, None, :]
    count = theta.shape[0]  # rows are padded to whole layers of 8, so that each block is aligned
    return (weight[..., :2].reshape(count, 32, 2), bias.reshape(count, 32),
            weight[:, 1:, :, 2:18].reshape(count, 24, 16), weight[:, 2:, :, 18:34].reshape(count, 16, 16),
            weight[:, 3, :, 34:50].contiguous(), u)


def unpadded(weights):
    first, bias, *later = weights
    return first[:26], bias[:26], [a[:rows] for a, rows in zip(later, (18, 10, 2))]


def hidden_jet(p):
    """Jet (8, 3, n) before the activation -> jet (16, 3n) after it."""
    value, slope = cpila(p[:, 0])
    return torch.cat((value, slope * p[:, 1], slope * p[:, 2]), 2).reshape(16, -1)


def network_jet(weights, w):
    """G and its Jacobian at w: jet (2, 3, n) = (G, dG/dw_1, dG/dw_2), and the hidden jets."""
    first, bias, later = unpadded(weights)
    n = w.shape[1]
    value = torch.addmm(bias[:, None], first, w)
    tangent1, tangent2 = first[:, :1].expand(26, n), first[:, 1:].expand(26, n)
    hidden = []
    for a in later:
        p = torch.stack((value[:8], tangent1[:8], tangent2[:8]), 1)
        hidden.append(p)
        product = a @ hidden_jet(p)
        value, tangent1, tangent2 = (old[8:] + product[:, k * n:(k + 1) * n]
                                     for k, old in enumerate((value, tangent1, tangent2)))
    return torch.stack((value, tangent1, tangent2), 1), hidden


def determinants(jet):
    """1 / det(I - J) and 1 / det(I + J), with J's four entries."""
    a, b, c, d = jet[0, 1], jet[0, 2], jet[1, 1], jet[1, 2]
    return 1 / ((1 - a) * (1 - d) - b * c), 1 / ((1 + a) * (1 + d) - b * c), a, b, c, d


def newton_update(w, jet, target):
    _, inverse, a, b, c, d = determinants(jet)
    r = w + jet[:, 0] - target
    return w - torch.stack(((1 + d) * r[0] - b * r[1], (1 + a) * r[1] - c * r[0])) * inverse


def newton_step(weights, x, w, jet):
    """One Newton step on r(w) = w + G(w) - 2x; also y, the log-determinant and the largest
    residual in units of the tolerance (1 + |2x|)."""
    target = 2 * x
    w = newton_update(w, jet, target)
    jet, hidden = network_jet(weights, w)
    residual = ((w + jet[:, 0] - target).abs() / (TOLERANCE * (1 + target.abs()))).amax()
    minus, plus, *_ = determinants(jet)
    return w - x, torch.log(plus) - torch.log(minus), residual, w, jet, *hidden


def newton_start(weights, x):
    """Two Newton steps from w = 2x (fewer are hardly ever enough) in one compiled call."""
    target = 2 * x
    w = newton_update(target, network_jet(weights, target)[0], target)
    return newton_step(weights, x, w, network_jet(weights, w)[0])


def block_backward(weights, w, jet, p1, p2, p3, ybar, lam):
    """Implicit gradient: tangent cotangents s_k = -2 lam (I - J^2)^-T e_k through the jets give
    the log-determinant's part wbar; then (I + J)^T u = ybar + wbar, xbar = 2u - ybar, and the
    parameters receive -(dG/dtheta)^T u."""
    first, _, later = unpadded(weights)
    hidden, n = (p1, p2, p3), w.shape[1]
    minus, plus, a, b, c, d = determinants(jet)
    s = -lam * torch.stack((torch.stack(((1 - d) * minus + (1 + d) * plus, c * (minus - plus))),
                            torch.stack((b * (minus - plus), (1 - a) * minus + (1 + a) * plus))))
    bars = torch.cat((torch.zeros_like(w)[:, None], s), 1)
    slopes = [None] * 3
    for j in (2, 1, 0):
        p = hidden[j]
        h = (later[j].T @ bars.reshape(-1, 3 * n)).reshape(2, 8, 3, n)
        slopes[j], curvature = cpila(p[:, 0])[1], cpila_curvature(p[:, 0])
        value = (slopes[j] * h[:, :, 0] + curvature * (h[:, :, 1] * p[:, 1] + h[:, :, 2] * p[:, 2])).sum(0)
        tangents = (slopes[j][:, :, None] * h[:, :, 1:]).sum(0)
        bars = torch.cat((torch.cat((value[:, None], tangents), 1), bars))
    g = ybar + first.T @ bars[:, 0]
    u = torch.stack(((1 + d) * g[0] - c * g[1], (1 + a) * g[1] - b * g[0])) * plus
    values = -u
    for j in (2, 1, 0):
        h = (later[j].T @ values).reshape(2, 8, n)
        values = torch.cat(((slopes[j] * h).sum(0), values))
    values = values + bars[:, 0]
    bars = torch.cat((values[:, None], bars[:, 1:]), 1)

    def pad(g):
        return torch.nn.functional.pad(g, (0, 0, 0, 6))
    return (pad(values @ w.T + bars[:, 1:].sum(2)), torch.nn.functional.pad(values.sum(1), (0, 6)), *(
        pad(bars[8 * (j + 1):].reshape(-1, 3 * n) @ hidden_jet(hidden[j]).T) for j in range(3)), 2 * u - ybar)


effective_training, newton_start, newton_step, block_backward = map(
    compiled, (effective, newton_start, newton_step, block_backward))


def block_forward(weights, x):
    """Newton until every residual is within the tolerance: y, logdet, what the backward pass needs."""
    y, logdet, residual, *saved = newton_start(weights, x)
    for _ in range(40):
        if residual.item() <= 1:
            break
        y, logdet, residual, *saved = newton_step(weights, x, saved[0], saved[1])
    return y, logdet, (weights, *saved)


def flow_forward(blocks, x):
    total, saved = 0, []
    for weights in blocks:
        x, logdet, one = block_forward(weights, x)
        total = total + logdet
        saved.append(one)
    return x, total, saved


@torch.no_grad()
def loss_and_gradients(blocks, x, batch):
    """A shard's part of the mean negative log-likelihood, and its gradient for all weights."""
    z, logdet, saved = flow_forward(blocks, x)
    loss = ((z ** 2).sum(0) / 2 - logdet + math.log(2 * math.pi)).sum() / batch
    ybar, lam, gradients = z / batch, torch.full_like(logdet, -1 / batch), []
    for one in reversed(saved):
        *gradient, ybar = block_backward(*one, ybar, lam)
        gradients.append(gradient)
    return loss, [torch.stack(parts) for parts in zip(*reversed(gradients))]


def by_block(weights):
    return list(zip(*(w.detach().unbind(0) for w in weights)))


class Helper:
    """A process that computes the gradient of its shard; all tensors lie in shared memory."""

    def __init__(self, weights, shard, batch):
        context = torch.multiprocessing.get_context("spawn")
        self.weights = [w.detach().clone().share_memory_() for w in weights]
        self.gradients = [torch.zeros_like(w).share_memory_() for w in self.weights]
        self.shard, self.batch = shard.clone().share_memory_(), batch
        self.go, self.finished = context.Semaphore(0), context.Semaphore(0)
        context.Process(target=Helper.work, args=(
            self.weights, self.gradients, self.shard, batch, self.go, self.finished), daemon=True).start()

    @staticmethod
    def work(weights, gradients, shard, batch, go, finished):
        blocks = by_block(weights)
        while go.acquire():
            for mine, new in zip(gradients, loss_and_gradients(blocks, shard, batch)[1]):
                mine.copy_(new)
            finished.release()

    def start(self, weights, shard):
        for mine, new in zip(self.weights, weights):
            mine.copy_(new.detach())
        self.shard.copy_(shard)
        self.go.release()

    def wait(self):
        if not self.finished.acquire(timeout=600):
            raise RuntimeError("a helper process gave no answer in ten minutes")
        return self.gradients


class Peer:
    name, version = "torch-newton", torch.__version__

    def __init__(self, seed, threads):
        theta, kappa = network.pack(network.initial_blocks(np.random.default_rng(seed)))
        self.theta = torch.tensor(theta, dtype=DTYPE, requires_grad=True)
        self.kappa = torch.tensor(kappa, dtype=DTYPE)
        self.u = torch.tensor(network.initial_vectors(), dtype=DTYPE)
        fused = {"fused": True} if int(torch.__version__.split(".")[0]) >= 2 else {}
        self.optimiser = torch.optim.Adam([self.theta, self.kappa], lr=network.LEARNING_RATE,
                                          weight_decay=network.WEIGHT_DECAY, **fused)
        self.threads, self.helpers, self.done = threads, [], 0

    def gradients(self, x):
        *weights, u = effective_training(self.theta, self.kappa, self.u, network.POWER_ITERATIONS)
        mine, *others = (shard.contiguous() for shard in x.chunk(self.threads, 1))
        for helper, shard in zip(self.helpers, others):
            helper.start(weights, shard)
        gradients = loss_and_gradients(by_block(weights), mine, x.shape[1])[1]
        for helper in self.helpers:
            gradients = [a + b for a, b in zip(gradients, helper.wait())]
        wanted = [p for p in (self.theta, self.kappa) if p.requires_grad]
        return wanted, torch.autograd.grad(weights, wanted, gradients), u.detach()

    def warm_up(self):
        x = torch.tensor([[0.5], [-1.5]], dtype=DTYPE) * torch.linspace(-1, 1, 500, dtype=DTYPE)
        shard = x.chunk(self.threads, 1)[0].contiguous()
        *weights, _ = effective_training(self.theta, self.kappa, self.u, network.POWER_ITERATIONS)
        one, lam = by_block(weights)[0], torch.ones(500, dtype=DTYPE)
        with torch.no_grad():
            for data in {shard.shape[1]: shard, 500: x}.values():  # tests use 500 columns at a time
                _, _, _, w, jet, *hidden = newton_start(one, data)
                newton_step(one, data, w, jet)
                block_backward(one, w, jet, *hidden, data.clone(), lam[:data.shape[1]])
        self.helpers = [Helper(weights, shard, x.shape[1]) for _ in range(self.threads - 1)]
        for _ in range(3):
            self.gradients(x)

    def step(self, x):
        self.done += 1
        if self.done == network.CONCAT_LEARNABLE_FROM:
            self.kappa.requires_grad_()
        wanted, gradients, self.u = self.gradients(torch.from_numpy(x))
        for parameter, gradient in zip(wanted, gradients):
            parameter.grad = gradient
        self.optimiser.step()

    @torch.no_grad()
    def test_loss(self, x):
        blocks = by_block(effective(self.theta, self.kappa, self.u, 200)[:-1])
        losses = []
        for part in torch.from_numpy(x).split(500, 1):
            z, logdet, _ = flow_forward(blocks, part.contiguous())
            losses.append(((z ** 2).sum(0) / 2 - logdet).mean())
        return torch.stack(losses).mean() + math.log(2 * math.pi)


def block_vjp(parameters, x):
    theta, kappa = (torch.tensor(a, requires_grad=True) for a in network.pack([parameters]))
    *weights, _ = effective(theta, kappa, torch.tensor(network.initial_vectors(1)), 20_000)
    y, logdet, saved = block_forward(by_block(weights)[0], torch.tensor(x))

    def pullback(ybar, lam):
        *gradient, xbar = block_backward(*saved, torch.tensor(ybar), torch.tensor(lam))
        grads = torch.autograd.grad(weights, (theta, kappa), [g[None] for g in gradient])
        return xbar.numpy(), network.unpack(*(g[0].numpy() for g in grads))
    return y.detach().numpy(), logdet.detach().numpy(), pullback


if __name__ == "__main__":
    protocol.main(OPTIONS, Peer, block_vjp)
