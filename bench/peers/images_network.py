"""The network G of an image block in PyTorch: values, transposed products and jets, written by hand.

Dense concatenation h -> [eta1 h, eta2 act(W h + b)] with the factors eta folded into the weights is
a chain of parts x, a_1, a_2, ... without concatenations: each part is multiplied once by its
columns of all the later weights, so that a 3x3 convolution has many output channels. A transposed
product is then a convolution with flipped kernels. Nothing here records a graph; `Network` keeps
the parameters and makes the folded weights, differentiably.

Images are (n, channels, height, width), channels last in memory; a fully connected network takes
(n, numbers) and begins with a linear stem.
"""
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv2d, linear, softplus


class CPila:
    """[Pila(p - 0.2), Pila(-p - 0.2)] / 1.06; Pila(q) = q for q > 0, (12.5 q^3 - 5 q^2 + q) e^(5q) else."""

    learned = None

    @staticmethod
    def parts(p):
        q = torch.cat((p - 0.2, -p - 0.2), 1)
        n = q.clamp(max=0)
        return q, n, torch.exp(5 * n) / 1.06

    @staticmethod
    def value(p, scale):
        q, n, e = CPila.parts(p)
        return q.clamp(min=0) / 1.06 + n * (1 + n * (12.5 * n - 5)) * e

    @staticmethod
    def slope(p, scale):
        _, n, e = CPila.parts(p)
        return signed((1 + n * (n * (62.5 * n + 12.5) - 5)) * e)

    @staticmethod
    def curvature(p, scale):
        _, n, e = CPila.parts(p)
        return n * n * (312.5 * n + 250) * e


class CLipSwish:
    """[LipSwish(p), LipSwish(-p)] / 1.004; LipSwish(q) = q sigmoid(s q) / 1.1, s = softplus(beta) learned."""

    learned = 0.5
    divisor = 1.1 * 1.004

    @staticmethod
    def parts(p, scale):
        q = torch.cat((p, -p), 1)
        sigmoid = torch.sigmoid(scale * q)
        return q, scale * q, sigmoid, sigmoid * (1 - sigmoid)

    @staticmethod
    def value(p, scale):
        q, _, sigmoid, _ = CLipSwish.parts(p, scale)
        return q * sigmoid / CLipSwish.divisor

    @staticmethod
    def slope(p, scale):
        _, s, sigmoid, d = CLipSwish.parts(p, scale)
        return signed((sigmoid + s * d) / CLipSwish.divisor)

    @staticmethod
    def curvature(p, scale):
        _, s, sigmoid, d = CLipSwish.parts(p, scale)
        return scale * d * (2 + s * (1 - 2 * sigmoid)) / CLipSwish.divisor

    @staticmethod
    def by_scale(p, scale):
        """Derivatives of the value and of the slope with respect to the scale s."""
        q, s, sigmoid, d = CLipSwish.parts(p, scale)
        return q * q * d / CLipSwish.divisor, signed(q * d * (2 + s * (1 - 2 * sigmoid)) / CLipSwish.divisor)


ACTIVATIONS = {"CPila": CPila, "CLipSwish": CLipSwish}


def signed(halves):
    """Derivatives by q = +-p -> derivatives by p."""
    plus, minus = halves.chunk(2, 1)
    return torch.cat((plus, -minus), 1)


def fold(halves):
    plus, minus = halves.chunk(2, 1)
    return plus + minus


THIN = 4


def product(x, weight, bias=None):
    """A convolution of images that keeps their size, or a linear map of vectors."""
    if x.dim() == 4 and bias is None and torch.compiler.is_compiling():
        # oneDNN pads channels to 16. Inductor does better where images are gray: four after the squeeze.
        if weight.shape[-1] == 1 and x.shape[1] <= THIN:
            return sum(x[:, i:i + 1] * weight[None, :, i] for i in range(x.shape[1]))
        if weight.shape[-1] == 3 and weight.shape[0] <= THIN:
            return thin_convolution(x, weight)
    return conv2d(x, weight, bias, padding=weight.shape[-1] // 2) if x.dim() == 4 else linear(x, weight, bias)


def thin_convolution(x, weight):
    """One matrix product for all nine places of a 3x3 kernel with few outputs, whose results are shifted and added."""
    height, width, size = *x.shape[2:], len(weight)
    y = linear(x.permute(0, 2, 3, 1), weight.permute(2, 3, 0, 1).reshape(9 * size, -1))
    y = torch.nn.functional.pad(y, (0, 0, 1, 1, 1, 1))
    places = [y[:, dy:dy + height, dx:dx + width, (3 * dy + dx) * size:(3 * dy + dx + 1) * size]
              for dy in range(3) for dx in range(3)]
    return sum(places).permute(0, 3, 1, 2)


def weight_gradient(x, cotangent, weight):
    if x.dim() == 2:
        return cotangent.T @ x
    pad = weight.shape[-1] // 2
    return torch.ops.aten.convolution_backward(
        cotangent, x, weight, None, [1, 1], [pad, pad], [1, 1], False, [0, 0], 1, [False, True, False])[1]


def transposed(weight):
    weight = weight.transpose(0, 1)
    return last(weight.flip(2, 3)) if weight.dim() == 4 else weight.contiguous()


def last(x):
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.contiguous()


class Weights(NamedTuple):
    """Folded: stem (None for images) and its bias; rows[j] takes part j to the pre-activations of all later
    layers, with all their biases; closing[j] takes part j to the output; one scale a layer."""

    stem: tuple
    rows: tuple
    bias: torch.Tensor
    closing: tuple
    closing_bias: torch.Tensor
    scales: tuple

    def flat(self):
        return (*self.stem, *self.rows, self.bias, *self.closing, self.closing_bias, *self.scales)


class Transposed(NamedTuple):
    stem: tuple
    rows: tuple
    closing: torch.Tensor


def unflatten(flat, like):
    """The inverse of `Weights.flat`, in the structure of another one."""
    rest = iter(flat)
    return Weights(*(tuple(next(rest) for _ in part) if isinstance(part, tuple) else next(rest) for part in like))


@torch.no_grad()
def constants(weights):
    """Weights for the products of a step, as the convolutions like them, and their transposes."""
    weights = Weights(*(tuple(map(last_detached, part)) if isinstance(part, tuple) else last_detached(part)
                        for part in weights))
    stem = tuple(transposed(w) for w in weights.stem[:1])
    return weights, Transposed(stem, tuple(map(transposed, weights.rows)), transposed(torch.cat(weights.closing, 1)))


def last_detached(x):
    return last(x.detach())


def value(act, w, x, activations=None):
    """G(x). Appends the pre-activation of every layer to the list, if there is one."""
    h = product(x, *w.stem) if w.stem else x
    pre = product(h, w.rows[0], w.bias)
    out = product(h, w.closing[0], w.closing_bias)
    size = len(w.bias) // len(w.rows)
    for j, closing in enumerate(w.closing[1:], 1):
        p = pre[:, :size]
        if activations is not None:
            activations.append(p)
        a = act.value(p, w.scales[j - 1] if w.scales else None)
        out = out + product(a, closing)
        if j < len(w.rows):
            pre = pre[:, size:] + product(a, w.rows[j])
    return out


def slopes(act, w, x):
    """Slopes of all layers at x: all that transposed products need."""
    pre = []
    value(act, w, x, pre)
    return [act.slope(p, w.scales[j] if w.scales else None) for j, p in enumerate(pre)]


def vjp(t, slopes, u, cotangents=None, to_input=True):
    """J^T u. Appends the cotangents of the parts a_J, ..., a_1 and in the end of all pre-activations, if asked."""
    closing = product(u, t.closing)
    size = slopes[0].shape[1]
    start = closing.shape[1] - size * len(slopes)
    pre = None
    for j in range(len(slopes), 0, -1):
        a = closing[:, start + (j - 1) * size:start + j * size]
        if pre is not None:
            a = a + product(pre, t.rows[j])
        if cotangents is not None:
            cotangents.append(a)
        p = fold(slopes[j - 1] * a)
        pre = p if pre is None else torch.cat((p, pre), 1)
    if cotangents is not None:
        cotangents.append(pre)
    if not to_input:
        return None
    h = closing[:, :start] + product(pre, t.rows[0])
    return product(h, *t.stem) if t.stem else h


def jet(act, w, x, v):
    """What the gradient of s^T J(x) v needs: parts, pre-activations (value and tangent stacked, 2n), slopes."""
    n = len(x)
    h = last(torch.cat((x, v)))
    parts = []
    if w.stem:
        parts.append(h)
        h = product(h, w.stem[0]) + torch.cat((w.stem[1].expand(n, -1), torch.zeros_like(w.stem[1]).expand(n, -1)))
    parts.append(h)
    size = len(w.bias) // len(w.rows)
    column = w.bias.view(-1, *[1] * (x.dim() - 2))
    pre = product(h, w.rows[0])
    pre = torch.cat((pre[:n] + column, pre[n:]))
    pres, all_slopes = [], []
    for j in range(len(w.rows)):
        p = pre[:, :size]
        scale = w.scales[j] if w.scales else None
        slope = act.slope(p[:n], scale)
        tangent = p[n:]
        a = torch.cat((act.value(p[:n], scale), slope * torch.cat((tangent, tangent), 1)))
        pres.append(p)
        all_slopes.append(slope)
        parts.append(a)
        if j + 1 < len(w.rows):
            pre = pre[:, size:] + product(a, w.rows[j + 1])
    return parts, pres, all_slopes


def tangent_backward(act, w, t, pres, slopes, s):
    """Cotangents from s^T J v: of x, and of all pre-activations and the parts' (value; tangent) pairs."""
    n = len(s)
    closing = product(s, t.closing)
    size = slopes[0].shape[1]
    start = closing.shape[1] - size * len(slopes)
    pre, parts = None, []
    for j in range(len(slopes), 0, -1):
        p, slope = pres[j - 1], slopes[j - 1]
        tangent = closing[:, start + (j - 1) * size:start + j * size]
        bend = act.curvature(p[:n], w.scales[j - 1] if w.scales else None) * torch.cat((p[n:], p[n:]), 1)
        if pre is None:
            values = fold(bend * tangent)
            parts.append((torch.zeros_like(tangent), tangent))
        else:
            h = product(pre, t.rows[j])
            tangent = tangent + h[n:]
            values = fold(slope * h[:n] + bend * tangent)
            parts.append((h[:n], tangent))
        now = torch.cat((values, fold(slope * tangent)))
        pre = now if pre is None else torch.cat((now, pre), 1)
    h = product(pre[:n], t.rows[0])
    return (product(h, *t.stem) if t.stem else h), pre, parts


def weight_gradients(act, w, t, parts, pres, pre, tangent_parts, s, u, value_parts, value_pre):
    """Gradients of s^T J v + u^T G for the folded weights, from the cotangents of both."""
    n = len(s)
    cotangent = pre + torch.cat((value_pre, torch.zeros_like(value_pre)))
    out = last(torch.cat((u, s)))
    stem = ()
    inner = parts
    if t.stem:
        closing = product(out, t.closing)
        first = closing[:, :t.rows[0].shape[0]] + product(cotangent, t.rows[0])
        stem = weight_gradient(parts[0], first, w.stem[0]), first[:n].sum(0)
        inner = parts[1:]
    size = len(w.bias) // len(w.rows)
    over = [0, *range(2, u.dim())]
    rows = tuple(weight_gradient(inner[j], last(cotangent[:, j * size:]), row) for j, row in enumerate(w.rows))
    closing = weight_gradient(torch.cat(inner, 1), out, torch.cat(w.closing, 1))
    closing = closing.split([c.shape[1] for c in w.closing], 1)
    scales = ()
    if w.scales:
        scales = tuple(scale_gradient(act, pres[j], scale, tangent_parts[-1 - j], value_parts[-1 - j], n)
                       for j, scale in enumerate(w.scales))
    return Weights(stem, rows, cotangent[:n].sum(over), closing, u.sum(over), scales)


def scale_gradient(act, p, scale, tangent_part, value_part, n):
    of_value, of_slope = act.by_scale(p[:n], scale)
    total = (tangent_part[0] + value_part) * of_value + tangent_part[1] * of_slope * torch.cat((p[n:], p[n:]), 1)
    return total.sum()


class Spectral(nn.Module):
    """A weight divided by max(1, sigma / coeff), sigma its norm as a linear map on its grid (zero padding)."""

    def __init__(self, weight, bias, grid, coeff, dtype):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=dtype).clone())
        self.bias = nn.Parameter(torch.as_tensor(bias, dtype=dtype).clone())
        self.coeff = coeff
        grid = grid if self.weight.dim() == 4 else ()
        self.v = torch.ones(1, self.weight.shape[1], *grid, dtype=dtype)
        self.v += 0.1 * torch.randn(self.v.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
        self.u, self.estimate = None, 0.0

    @torch.no_grad()
    def update(self, tolerance=1e-3, rounds=50):
        """Warm-started power iteration until the norm changes by less than the tolerance, relatively."""
        back = transposed(self.weight)
        for _ in range(rounds):
            u = product(self.v, self.weight)
            sigma = u.norm()
            self.u = u / (sigma + 1e-12)
            v = product(self.u, back)
            self.v = v / (v.norm() + 1e-12)
            before, self.estimate = self.estimate, sigma.item()
            if abs(self.estimate - before) <= tolerance * self.estimate:
                break

    def normalised(self):
        if self.coeff is None:
            return self.weight
        sigma = (self.u * product(self.v, self.weight)).sum()
        return self.weight / torch.clamp(sigma / self.coeff, min=1)


class Network(nn.Module):
    """Parameters of G. `inputs` is (channels, height, width), or (numbers,) for the fully connected kind."""

    def __init__(self, inputs, depth, growth, activation, coeff, lip, rng, stem=None, dtype=torch.float32, given=None):
        super().__init__()
        self.act, self.lip, self.grid = ACTIVATIONS[activation], lip, inputs[1:]
        width, half = stem or inputs[0], growth // 2
        shapes = [(stem, inputs[0])] if stem else []
        kernel = [3, 3] if self.grid else []
        shapes += [(half, width + j * growth, *kernel) for j in range(depth)]
        shapes.append((inputs[0], width + depth * growth, *[1] * len(kernel)))
        if given is None:
            bounds = [math.prod(shape[1:]) ** -0.5 for shape in shapes]
            given = {"weight": [rng.uniform(-k, k, shape) for k, shape in zip(bounds, shapes)],
                     "bias": [rng.uniform(-k, k, shape[0]) for k, shape in zip(bounds, shapes)],
                     "concat": np.ones((depth, 2))}
        self.layers = nn.ModuleList(Spectral(np.asarray(w).reshape(shape), np.asarray(b), self.grid, coeff, dtype)
                                    for w, b, shape in zip(given["weight"], given["bias"], shapes, strict=True))
        self.kappa = nn.Parameter(torch.as_tensor(np.asarray(given["concat"]), dtype=dtype), requires_grad=False)
        betas = [] if self.act.learned is None else [torch.tensor(self.act.learned, dtype=dtype)] * depth
        self.betas = nn.ParameterList(nn.Parameter(beta.clone()) for beta in betas)
        self.has_stem, self.width, self.growth, self.depth = stem is not None, width, growth, depth

    def update(self, *limits):
        for layer in self.layers:
            layer.update(*limits)

    def folded(self):
        """The folded weights as a differentiable function of the parameters."""
        eta = softplus(self.kappa) + 0.1
        eta = self.lip * eta / torch.linalg.vector_norm(eta, dim=1, keepdim=True)
        stem, *layers = self.layers if self.has_stem else (None, *self.layers)
        sizes = [self.width, *[self.growth] * self.depth]
        columns = []
        for count, layer in enumerate(layers):
            parts = layer.normalised().split(sizes[:count + 1], 1)
            factors = [eta[:count, 0].prod()]
            factors += [eta[j, 1] * eta[j + 1:count, 0].prod() for j in range(count)]
            columns.append([part * factor for part, factor in zip(parts, factors)])
        rows = tuple(torch.cat([of[j] for of in columns[j:-1]]) for j in range(self.depth))
        return Weights((stem.normalised(), stem.bias) if stem else (), rows,
                       torch.cat([layer.bias for layer in layers[:-1]]), tuple(columns[-1]), layers[-1].bias,
                       tuple(softplus(beta) for beta in self.betas))
