"""Monotone Flow in PyTorch with the algorithms of the original study (Ahn et al. 2022).

As the study's public code does it: w of w + G(w) = 2x from a fixed-point iteration with one-step
(secant, Anderson m = 1) acceleration and a damped iteration to fall back on; the transposed
equation (I + J)^T u = g of the backward pass by the same iteration, each product with J^T one
reverse pass; the exact 2x2 log-determinant from an autograd Jacobian with create_graph, so that
training differentiates twice. One module a layer, batches first, no compilation.
Kinder than that code in two points: the backward tolerance is 1e-6 too, and CPila is a closed
formula of autograd's own operations. The inputs are not scaled by sqrt(2): w + G(w) = 2x and
y = w - x as in the paper, so that losses compare.
"""
import math

import protocol

OPTIONS = protocol.parse()
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

import network  # noqa: E402

torch.set_num_threads(OPTIONS.threads)
DTYPE = torch.float64 if OPTIONS.check else torch.float32
TOLERANCE = 1e-12 if OPTIONS.check else 1e-6


class PolynomialExponential(torch.autograd.Function):
    """(a x^3 + b x^2 + c x + d) e^(5x) for x <= 0; for x > 0 its value at 0, plus x at order 0.

    Its derivative is of the same kind: 5a, 5b + 3a, 5c + 2b, 5d + c.
    """

    @staticmethod
    def forward(ctx, x, coefficients, order):
        ctx.save_for_backward(x)
        ctx.coefficients, ctx.order = coefficients, order
        a, b, c, d = coefficients
        n = x.clamp(max=0)
        left = (((a * n + b) * n + c) * n + d) * torch.exp(5 * n)
        return left + x.clamp(min=0) if order == 0 else left

    @staticmethod
    def backward(ctx, gradient):
        a, b, c, d = ctx.coefficients
        slope = PolynomialExponential.apply(
            ctx.saved_tensors[0], (5 * a, 5 * b + 3 * a, 5 * c + 2 * b, 5 * d + c), ctx.order + 1)
        return gradient * slope, None, None


def cpila(x):
    """CPila(x) = [Pila(x - 0.2), Pila(-x - 0.2)] / 1.06 with k = 5."""
    return PolynomialExponential.apply(torch.cat((x - 0.2, -x - 0.2), 1), (12.5, -5.0, 1.0, 0.0), 0) / 1.06


class SpectralLinear(nn.Module):
    """Linear layer with W / max(1, sigma / coeff), sigma = u' W v, u and v from power iteration."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(np.asarray(weight), dtype=DTYPE))
        self.bias = nn.Parameter(torch.as_tensor(np.asarray(bias), dtype=DTYPE))
        self.u = torch.full_like(self.bias, len(self.bias) ** -0.5).detach()
        self.update(network.POWER_ITERATIONS)

    @torch.no_grad()
    def update(self, iterations):
        for _ in range(iterations):
            self.v = nn.functional.normalize(self.weight.T @ self.u, dim=0)
            self.u = nn.functional.normalize(self.weight @ self.v, dim=0)
        return self

    def normalised(self):
        sigma = torch.dot(self.u, self.weight @ self.v)
        return self.weight / torch.clamp(sigma / network.COEFF, min=1)


class DenseNetwork(nn.Module):
    """G: h -> [eta1 h, eta2 CPila(W h + b)] three times, then a linear layer (i-DenseNet)."""

    def __init__(self, block):
        super().__init__()
        self.layers = nn.ModuleList(map(SpectralLinear, block["weight"], block["bias"]))
        self.kappa = nn.Parameter(torch.as_tensor(np.asarray(block["concat"]), dtype=DTYPE))

    def prepared(self):
        """Normalised weights and concatenation scales, differentiable."""
        eta = nn.functional.softplus(self.kappa) + 0.1
        eta = network.LIP * eta / torch.linalg.vector_norm(eta, dim=1, keepdim=True)
        return [layer.normalised() for layer in self.layers], [layer.bias for layer in self.layers], eta

    @staticmethod
    def apply_prepared(prepared, h):
        weights, biases, eta = prepared
        for weight, bias, (keep, new) in zip(weights[:-1], biases[:-1], eta):
            h = torch.cat((keep * h, new * cpila(nn.functional.linear(h, weight, bias))), 1)
        return nn.functional.linear(h, weights[-1], biases[-1])


def damped_fixed_point(f, x0, limit, eps):
    """The fallback: x <- (1 - alpha) x + alpha f(x), alpha shrinking where a sample stalls."""
    alpha = torch.full((len(x0), 1), 0.5, dtype=x0.dtype)
    best, best_at = torch.full_like(alpha, 1e9), torch.zeros_like(alpha)
    allowed, x = eps + eps * x0.abs(), x0 + alpha * (f(x0) - x0)
    for count in range(limit):
        fx = f(x)
        error = ((fx - x).abs() / allowed).amax(1, keepdim=True)
        if bool((error < 1).all()):
            break
        stalled = count >= best_at + 30
        alpha = torch.where((error >= best) & stalled, 0.9 * alpha, alpha).clamp(min=0.1)
        best_at = torch.where((error < best) | stalled, torch.full_like(alpha, count), best_at)
        best = torch.minimum(best, error)
        x = x + alpha * (fx - x)
    return x


@torch.no_grad()
def fixed_point(f, x0, limit, eps=TOLERANCE):
    """x = f(x) by x <- f(x) - m (f(x) - f(x_prev)), m from the last two residuals of each sample."""
    allowed = eps + eps * x0.abs()
    image = x = f(x0)
    residual, best, best_at = x - x0, math.inf, 0
    for count in range(1, limit):
        previous_image, previous_residual = image, residual
        image = f(x)
        residual = image - x
        error = (residual.abs() / allowed).max().item()
        if error <= 1:
            return x
        if error < best:
            best, best_at = error, count
        elif count >= best_at + 10:
            break
        change = residual - previous_residual
        m = (change * residual).sum(1, keepdim=True) / ((change ** 2).sum(1, keepdim=True) + 1e-8)
        x, last = image - m * (image - previous_image), x
    else:
        x = last
    return damped_fixed_point(f, x0 if error > 10 else x, limit, eps)


class ImplicitBackward(torch.autograd.Function):
    """Identity whose gradient g becomes u with (I + J)^T u = g, J the Jacobian of G at w."""

    @staticmethod
    def forward(ctx, w, prepared):
        ctx.save_for_backward(w)
        ctx.prepared = prepared
        return w.clone()

    @staticmethod
    def backward(ctx, gradient):
        w = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            value = DenseNetwork.apply_prepared(ctx.prepared, w)

        def transposed(u):
            return torch.autograd.grad(value, w, u, retain_graph=True)[0]
        return fixed_point(lambda u: gradient - transposed(u), gradient, 100), None


def monotone_block(g, x):
    """y = w - x and log det(I - J) - log det(I + J), with w + G(w) = 2x; x has shape (n, 2)."""
    prepared = g.prepared()
    weights, biases, eta = prepared
    constant = [w.detach() for w in weights], [b.detach() for b in biases], eta.detach()
    solution = fixed_point(lambda w: 2 * x.detach() - DenseNetwork.apply_prepared(constant, w), 2 * x.detach(), 2000)
    # One more application carries the gradient to x and the parameters.
    w = ImplicitBackward.apply(2 * x - DenseNetwork.apply_prepared(prepared, solution), constant)
    with torch.enable_grad():
        at = w if w.requires_grad else w.requires_grad_()
        value = DenseNetwork.apply_prepared(prepared, at)
        (a, b), (c, d) = (torch.autograd.grad(value[:, i].sum(), at, create_graph=True)[0].unbind(1) for i in (0, 1))
        logdet = torch.log((1 - a) * (1 - d) - b * c) - torch.log((1 + a) * (1 + d) - b * c)
    return w - x, logdet


class Peer:
    name, version = "torch-original", torch.__version__

    def __init__(self, seed, threads):
        blocks = network.initial_blocks(np.random.default_rng(seed))
        self.model = nn.ModuleList(map(DenseNetwork, blocks))
        for g in self.model:
            g.kappa.requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=network.LEARNING_RATE,
                                          weight_decay=network.WEIGHT_DECAY)
        self.layers = [layer for g in self.model for layer in g.layers]
        self.done = 0

    def loss(self, x):
        z, total = x, 0
        for g in self.model:
            z, logdet = monotone_block(g, z)
            total = total + logdet
        return ((z ** 2).sum(1) / 2 - total).mean() + math.log(2 * math.pi)

    def warm_up(self):
        """Nothing to compile."""

    def step(self, x):
        self.done += 1
        if self.done == network.CONCAT_LEARNABLE_FROM:
            for g in self.model:
                g.kappa.requires_grad_()
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(torch.from_numpy(x.T.copy())).backward()
        self.optimiser.step()
        for layer in self.layers:
            layer.update(network.POWER_ITERATIONS)

    def test_loss(self, x):
        for layer in self.layers:
            layer.update(200)
        with torch.no_grad():
            return self.loss(torch.from_numpy(x.T.copy()))


def block_vjp(parameters, x):
    g = DenseNetwork(parameters)
    for layer in g.layers:
        layer.update(20_000)
    x = torch.tensor(x.T).requires_grad_()
    y, logdet = monotone_block(g, x)

    def pullback(ybar, lam):
        parts = [x, *(layer.weight for layer in g.layers), *(layer.bias for layer in g.layers), g.kappa]
        xbar, *rest = (part.numpy() for part in torch.autograd.grad(
            (y, logdet), parts, (torch.tensor(ybar.T.copy()), torch.tensor(lam)), retain_graph=True))
        return xbar.T, {"weight": rest[:4], "bias": rest[4:8], "concat": rest[8]}
    return y.detach().numpy().T, logdet.detach().numpy(), pullback


if __name__ == "__main__":
    protocol.main(OPTIONS, Peer, block_vjp)
