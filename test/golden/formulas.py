"""The mathematics of docs/math.md in PyTorch, in float64, differentiated by autograd: nothing here is read from src/.

Samples are rows [sample][dimension]; images are [sample][channel][y][x].
"""

import math

import torch
import torch.nn.functional as F

LIP = 0.98  # of one concatenation


# Activations: [sample][channel]... to twice as many channels, after the division that makes them 1-Lipschitz.


def pila(x, k=5.0):
    below = torch.where(x > 0, torch.zeros_like(x), x)  # not clamp, whose slope at 0 depends on PyTorch's version
    return torch.where(x > 0, x, (k * k / 2 * below**3 - k * below**2 + below) * torch.exp(k * below))


def cpila(x):
    return torch.cat([pila(x - 0.2), pila(-x - 0.2)], 1) / 1.06


def lipswish(x, beta):
    return x * torch.sigmoid(x * F.softplus(beta)) / 1.1


def clipswish(x):
    beta = torch.tensor(0.5)
    return torch.cat([lipswish(x, beta), lipswish(-x, beta)], 1) / 1.004


def crelu(x):
    return torch.cat([F.relu(x), F.relu(-x)], 1)


ACTIVATIONS = {"CPila": cpila, "CLipSwish": clipswish, "CReLU": crelu}


# Networks: dense concatenation of layers whose weights are divided by max(1, norm / coeff).


def matrix_norm(weight, grid=None):
    """Of a matrix [out][in], or of a convolution [out][in][ky][kx] as a linear map of zero-padded images of that size."""
    if weight.dim() == 2:
        return torch.linalg.matrix_norm(weight, 2)
    inputs, (height, width) = weight.shape[1], grid
    units = torch.eye(inputs * height * width).reshape(-1, inputs, height, width)
    images = F.conv2d(units, weight, padding=weight.shape[2] // 2)
    return torch.linalg.matrix_norm(images.flatten(1), 2)


def limited(weight, norm, coeff):
    return weight / torch.clamp(norm / coeff, min=1.0)


def etas(kappa):
    """The two factors of a concatenation."""
    positive = F.softplus(kappa) + 0.1
    return LIP * positive / positive.norm()


class Dense:
    """
    G of R^dim to itself, or of images with a grid: 3 x 3 convolutions and a closing 1 x 1. `weights` and `biases` have the
    closing layer last, `kappas` a pair for each of the others. The norms of matrices are differentiated, those of
    convolutions held constant.
    """

    def __init__(self, draw, dim, depth, growth, activation, coeff, gain, grid=None):
        self.activation = ACTIVATIONS[activation]
        self.coeff = coeff
        self.grid = grid
        self.weights, self.biases, self.kappas = [], [], []
        columns = dim
        for layer in range(depth + 1):
            closing = layer == depth
            rows = dim if closing else growth // 2
            kernel = () if grid is None else (1, 1) if closing else (3, 3)
            fan_in = columns * math.prod(kernel)
            self.weights.append(draw(rows, columns, *kernel) * gain / math.sqrt(fan_in))
            self.biases.append(draw(rows) * 0.3)
            if not closing:
                self.kappas.append(1 + 0.5 * draw(2))
            columns += growth
        for parameter in self.parameters():
            parameter.requires_grad_(True)
        self.norms = None if grid is None else [matrix_norm(w, grid).detach() for w in self.weights]

    def parameters(self):
        return [*self.weights, *self.biases, *self.kappas]

    def __call__(self, x):
        norms = self.norms or [matrix_norm(w) for w in self.weights]
        weights = [limited(w, norm, self.coeff) for w, norm in zip(self.weights, norms)]
        linear = F.linear if self.grid is None else lambda x, w, b: F.conv2d(x, w, b, padding=w.shape[2] // 2)
        h = x
        for weight, bias, kappa in zip(weights, self.biases, self.kappas):
            keep, add = etas(kappa)
            h = torch.cat([keep * h, add * self.activation(linear(h, weight, bias))], 1)
        return linear(h, weights[-1], self.biases[-1])

    def by_kind(self, values):
        """What has a value for each of `parameters()`, as the files have it."""
        values = [value.tolist() for value in values]
        layers = len(self.weights)
        return {
            "weight": values[:layers],
            "bias": values[layers : 2 * layers],
            "concat": values[2 * layers :],
        }


# Blocks: (y, log|det dy/dx|, the network's point) of x.


def jacobian(g, x):
    """G(x) and its Jacobians [sample][out][in]."""
    y = g(x)
    rows = [torch.autograd.grad(y[:, i].sum(), x, create_graph=True)[0] for i in range(y.shape[1])]
    return y, torch.stack(rows, 1)


def solve(g, target):
    """
    w + G(w) = target by damped Newton to 1e-14. One step more, whose matrix is constant, changes nothing and carries the
    derivatives for target and parameters: dw = (I + J)^-1 (dtarget - dG).
    """
    identity = torch.eye(target.shape[1])

    def step(w, residual, matrices):
        return w - torch.linalg.solve(identity + matrices, residual.unsqueeze(-1)).squeeze(-1)

    w = target.detach()
    for _ in range(200):
        w = w.detach().requires_grad_(True)
        value, matrices = jacobian(g, w)
        residual = (w + value - target).detach()
        if residual.abs().max() < 1e-14:
            break
        whole = step(w, residual, matrices).detach()
        part = 1.0
        while True:
            trial = w.detach() + part * (whole - w.detach())
            if (trial + g(trial) - target).norm() <= residual.norm() or part < 1e-6:
                break
            part *= 0.5
        w = trial
    w = w.detach().requires_grad_(True)
    _, matrices = jacobian(g, w)
    w = w.detach()
    return step(w, w + g(w) - target, matrices.detach())


def log_det(matrices, sign):
    return torch.linalg.slogdet(torch.eye(matrices.shape[-1]) + sign * matrices)[1]


def monotone(g, x):
    w = solve(g, 2 * x)
    _, matrices = jacobian(g, w)
    return w - x, log_det(matrices, -1) - log_det(matrices, 1), w


def residual(g, x):
    value, matrices = jacobian(g, x)
    return x + value, log_det(matrices, 1), x


def inverse_residual(g, x):
    y = solve(g, x)
    _, matrices = jacobian(g, y)
    return y, -log_det(matrices, 1), y


BLOCKS = {"monotone": monotone, "residual": residual, "inverse-residual": inverse_residual}
