"""Neural spline flow in PyTorch (Durkan et al. 2019), a strong baseline of another family.

Five autoregressive transforms (MADE masks), rational-quadratic splines with 8 bins on [-5, 5],
hidden layers 64-64, from the package zuko. The 2spirals lie within about 3.6 in both
coordinates, so the data needs no scaling to stay inside the box.
"""
import protocol

OPTIONS = protocol.parse()
import torch  # noqa: E402
import zuko  # noqa: E402

torch.set_num_threads(OPTIONS.threads)


class Peer:
    name, version = "nsf", f"{torch.__version__} (zuko {zuko.__version__})"

    def __init__(self, seed, threads):
        torch.manual_seed(seed)
        self.flow = zuko.flows.NSF(2, bins=8, transforms=5, hidden_features=(64, 64))
        self.optimiser = torch.optim.Adam(self.flow.parameters(), lr=1e-3)

        # Compiled for the training shape only; tests run the same formula uncompiled.
        self.training_loss = torch.compile(self.loss, dynamic=False) if protocol.can_compile(torch) else self.loss

    def loss(self, x):
        return -self.flow().log_prob(x).mean()

    def warm_up(self):
        for _ in range(3):
            self.training_loss(torch.linspace(-3, 3, 1000).view(500, 2)).backward()

    def step(self, x):
        self.optimiser.zero_grad(set_to_none=True)
        self.training_loss(torch.from_numpy(x.T.copy())).backward()
        self.optimiser.step()

    @torch.no_grad()
    def test_loss(self, x):
        return self.loss(torch.from_numpy(x.T.copy()))


if __name__ == "__main__":
    protocol.main(OPTIONS, Peer)
