"""The methods as their papers write them, on one vector of weights, for any loss."""

import torch


class ByThePaper:
    """Weights w that take steps of momentum SGD along the gradient of a method.

    Args:
        loss: Maps w, of shape (P,), to the loss.
        w: The initial weights.
        radii: The radius of each weight, of shape (P,) or a number.
        scaled: Of asam: which weights abs(w) + eta scales, of shape (P,); by default all.
    """

    def __init__(
        self,
        loss,
        w,
        method,
        radii,
        *,
        rate,
        momentum=0.0,
        alpha=0.0,
        eta=0.01,
        every=1,
        scaled=True,
    ):
        self.loss = loss
        self.scaled = torch.as_tensor(scaled).expand(w.shape)
        self.w = w.detach().clone()
        self.method = method
        self.radii = torch.as_tensor(radii, dtype=w.dtype).expand(w.shape)
        self.rate, self.momentum = rate, momentum
        self.alpha, self.eta, self.every = alpha, eta, every
        self.velocity = torch.zeros_like(w)
        self.direction = torch.zeros_like(w)
        self.number = 0

    def gradient(self, w):
        w = w.detach().requires_grad_()
        return torch.autograd.grad(self.loss(w), w)[0]

    def step(self):
        g = self.gradient(self.w)
        if self.number % self.every == 0:
            scale = torch.ones_like(g)
            if self.method == "asam":
                scale = torch.where(self.scaled, self.w.abs() + self.eta, scale)
            perturbed = self.radii > 0
            norm = (scale * g)[perturbed].norm()
            sharp = self.gradient(self.w + self.radii * scale**2 * g / norm)
            along = sharp
            if self.method == "gsam":
                along = sharp - self.alpha * (g - (g @ sharp) / (sharp @ sharp) * sharp)
            if self.method == "looksam":
                self.direction = sharp - (sharp @ g) / (g @ g) * g
        else:
            along = g
            if self.method == "looksam":
                along = g + self.alpha * g.norm() / self.direction.norm() * self.direction
        self.velocity = self.momentum * self.velocity + along
        self.w = self.w - self.rate * self.velocity
        self.number += 1
