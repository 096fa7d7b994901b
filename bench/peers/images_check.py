"""`torch_images.py --check`: golden vectors and, where there are none, plain definitions under autograd."""
import json
import os

import numpy as np
import torch

import images_network as network


def same(what, got, want):
    got, want = torch.as_tensor(got), torch.as_tensor(want)
    error = ((got - want).abs().max() / want.abs().max().clamp(min=1e-12)).item()
    if not error <= 1e-6:
        raise AssertionError(f"{what}: relative error {error:.2e}")


def plain_activation(name, p, beta):
    """The definitions, as far from the hand-written ones as they can be."""
    def pila(q):
        return torch.where(q > 0, q, (12.5 * q ** 3 - 5 * q ** 2 + q) * torch.exp(5 * q.clamp(max=0)))
    if name == "CPila":
        return torch.cat((pila(p - 0.2), pila(-p - 0.2)), 1) / 1.06
    s = torch.nn.functional.softplus(beta)
    return torch.cat((p * torch.sigmoid(s * p), -p * torch.sigmoid(-s * p)), 1) / 1.1 / 1.004


def plain_network(net, name, x):
    """G by its definition, under autograd; the singular vectors of the layers are constants."""
    def layer(index, h):
        of = net.layers[index]
        return network.product(h, of.weight / torch.clamp(norm(of) / of.coeff, min=1), of.bias)

    def norm(of):
        return (of.u * network.product(of.v, of.weight)).sum()
    first = int(net.has_stem)
    h = layer(0, x) if net.has_stem else x
    for j in range(net.depth):
        eta = torch.nn.functional.softplus(net.kappa[j]) + 0.1
        eta = net.lip * eta / eta.norm()
        beta = net.betas[j] if len(net.betas) else None
        h = torch.cat((eta[0] * h, eta[1] * plain_activation(name, layer(first + j, h), beta)), 1)
    return layer(len(net.layers) - 1, h)


def check_activations(path):
    with open(os.path.join(path, "activations.json"), encoding="utf-8") as file:
        golden = json.load(file)
    p = torch.tensor(golden["x"], dtype=torch.float64)[:, None]
    for name, act in network.ACTIVATIONS.items():
        scale = None if act.learned is None else torch.nn.functional.softplus(torch.tensor(act.learned, dtype=p.dtype))
        # The golden columns are derivatives of the activations of +x and -x with respect to x.
        for kind, of in (("value", act.value), ("first", act.slope), ("second", act.curvature)):
            same(f"{name} {kind}", of(p, scale), torch.tensor(golden[name][kind], dtype=p.dtype))


def check_network(images, path):
    with open(os.path.join(path, "conv-network.json"), encoding="utf-8") as file:
        golden = json.load(file)
    x, v, u = (torch.tensor(golden[key], dtype=torch.float64) for key in "xvu")
    net = network.Network(
        tuple(x.shape[1:]), golden["depth"], golden["growth"], golden["activation"], golden["coeff"],
        golden["lipCoeff"], None, dtype=torch.float64, given=golden["parameters"])
    net.update(1e-15, 20_000)
    same("sigma", [layer.estimate for layer in net.layers], golden["sigma"])
    folded = net.folded()
    weights, t = network.constants(folded)
    same("value", network.value(net.act, weights, x), golden["value"])
    slopes = network.slopes(net.act, weights, x)
    same("vjp", network.vjp(t, slopes, u), golden["vjp"])
    parts, pres, slopes = network.jet(net.act, weights, x, v)
    jvp = sum(network.product(part[len(x):], closing) for part, closing in zip(parts, weights.closing, strict=True))
    same("jvp", jvp, golden["jvp"])
    same("uJv", (u * jvp).sum(), golden["uJv"])
    r, powers = v, []
    for _ in golden["powers"][0]:
        r = network.vjp(t, slopes, r)
        powers.append((r * v).flatten(1).sum(1))
    same("powers", torch.stack(powers, 1), golden["powers"])
    exact_logdets(images, net, golden["activation"], x[:1], golden["monotone"]["logDet"][:1], monotone=True)
    exact_logdets(images, net, golden["activation"], x[1:2], golden["logDetResidual"][1:2], monotone=False)
    w = images.solve(lambda *state: images.forward_step(net.act, weights, *state), 2 * x, 1e-13, [])
    same("monotone w", w, golden["monotone"]["w"])
    same("monotone y", w - x, golden["monotone"]["y"])


def exact_logdets(images, net, name, x, want, monotone):
    """One sample with all unit vectors as probes: sums over them are exact, and so are the gradients' sums."""
    count = x[0].numel()
    net.kappa.requires_grad_()
    block = images.Block(net, monotone, 1e-13)
    probes = torch.eye(count, dtype=x.dtype).view(count, *x.shape[1:])
    many = x.expand(count, *x.shape[1:]).clone().requires_grad_()
    generator = torch.Generator().manual_seed(2)
    cotangent = torch.randn(x.shape, dtype=x.dtype, generator=generator)
    lam = 0.7
    parameters = [p for p in net.parameters() if p.requires_grad]
    block.prepare()
    y, logdet = block(many, probes, images.series_terms(400, 400, 2, monotone))
    if want is not None:
        same(f"logDet, monotone {monotone}", logdet.sum(), torch.tensor(want, dtype=x.dtype).sum())
    *folded, xbar = torch.autograd.grad((y * cotangent).sum() / count + lam * logdet.sum(), [*block.leaves, many])
    got = torch.autograd.grad(block.folded, parameters, folded)

    # By definition: Newton's matrix at w, and log-determinants of full Jacobians, under autograd.
    one = x.clone().requires_grad_()
    at = y[:1].detach() + x if monotone else x
    shape, eye = x.shape, torch.eye(count, dtype=x.dtype)

    def flat(z):
        return plain_network(net, name, z.view(shape)).flatten()
    if monotone:
        jacobian = torch.autograd.functional.jacobian(flat, at.flatten())
        # w with the right derivative by x and the parameters: one Newton step from the solution.
        residual = 2 * one.flatten() - at.flatten() - flat(at)
        w = at.flatten() + torch.linalg.solve(eye + jacobian, residual)
        value = w - one.flatten()
    else:
        w = one.flatten()
        value = w + flat(w)
    jacobian = torch.autograd.functional.jacobian(flat, w, create_graph=True)
    exact = torch.linalg.slogdet(eye + jacobian)[1]
    if monotone:
        exact = torch.linalg.slogdet(eye - jacobian)[1] - exact
    same(f"logDet by definition, monotone {monotone}", logdet.sum(), exact)
    same(f"y by definition, monotone {monotone}", y[0].flatten(), value)
    expected = torch.autograd.grad((value * cotangent.flatten()).sum() + lam * exact, [*parameters, one])
    for index, (a, b) in enumerate(zip(got, expected[:-1], strict=True)):
        same(f"gradient of parameter {index}, monotone {monotone}", a, b)
    same(f"gradient of x, monotone {monotone}", xbar.sum(0), expected[-1][0])


def check_others(images):
    """Networks without golden vectors: CLipSwish, and the fully connected kind."""
    for name in network.ACTIVATIONS:
        for inputs, stem in (((2, 3, 4), None), ((7,), 5)):
            rng = np.random.default_rng(3)
            net = network.Network(inputs, 3, 8, name, 0.5, 0.98, rng, stem, torch.float64)
            net.update(1e-15, 20_000)
            x = torch.from_numpy(rng.normal(size=(1, *inputs)))
            for monotone in (True, False):
                exact_logdets(images, net, name, x, None, monotone)


def check(images, path):
    check_activations(path)
    check_network(images, path)
    check_others(images)
