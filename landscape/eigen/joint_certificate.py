"""Few exact products that certify many eigenpairs.

An algorithm multiplies with a fast form F of H, and knows the images F V of its unit vectors V. The
residual of a pair with the exact H is at most

    ||H v_k - l_k v_k||  <=  ||F v_k - l_k v_k|| + ||(H - F) v_k||,

and exact products of V D G bound the last term. D divides each vector by the scale r_k that its
residual is relative to, mostly |l_k|, and G (K, s) holds independent standard normal numbers. With
M = (H - F) V D the last term is at most r_k ||M||_F. For the singular values m_i of M, since G has
the same distribution in any orthonormal basis, ||M G||_F^2 = sum m_i^2 c_i with independent
chi-squared c_i of s degrees of freedom. Let w_i = m_i^2 / ||M||_F^2, which sum to 1. Then for
every t > 0, by Markov's inequality for exp(-t sum w_i c_i),

    P(||M G||_F <= d ||M||_F)  <=  exp(t d^2) prod (1 + 2 t w_i)^(-s/2)
                               <=  exp(t d^2) (1 + 2 t)^(-s/2),

since prod (1 + 2 t w_i) >= 1 + 2 t sum w_i. At 2 t = s/d^2 - 1 that is less than (e d^2 / s)^(s/2),
which is p at d = sqrt(s/e) p^(1/s). So ||M G||_F / d is an upper bound of ||M||_F but for a
probability of p, whatever the fault of F is: dense, of rank one, or of a single eigenvector. The
larger a fault, the less probable it is that it passes: where ||M||_F is c times the largest bound
that is accepted, p / c^s.

Rounding makes M, too: that of F alone where the exact products are in float64. For p = 1 % d is
1/165 for one product, 1/12 for two and 1/4.4 for three: one is enough where precision is far beyond
the tolerance, as where F is in float64, or for the loose tolerance of components.
"""

import math

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import Eigenpairs, certificate, certify, scale_of
from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.sums import unit

# p: the probability with which the bound is too small, if F is wrong by more than rounding.
EXCEEDED = 0.01
# The bound may take so large a share of the residuals that the tolerance allows, which a search
# leaves (landscape.eigen.eigenpairs.SEARCH_SHARE).
SHARE_OF_TOLERANCE = 0.4
# The distance of fast images from exact ones, in roundings of the largest scale: images come out of
# a Krylov space, where rounding is relative to the largest eigenvalue (benchmarks/RESULTS.md).
ROUNDINGS = 16


class JointCertificate:
    """Unit vectors V with their fast images F V, and random combinations of them.

    Args:
        vectors: approximate eigenvectors, the columns of (P, K), of any length.
        images: the fast form times each of them, (P, K).
        generator: the source of the coefficients.
        tolerance: the residual up to which a pair has converged.
        which: ``magnitude``, ``ends`` or ``magnitude with ends``: what residuals are relative to.
        count: how many of the pairs were asked for by magnitude, by default all.
    """

    def __init__(
        self,
        vectors: Tensor,
        images: Tensor,
        generator: torch.Generator,
        tolerance: float,
        which: str = "magnitude",
        count: int | None = None,
    ) -> None:
        self.vectors = unit(vectors)
        self.tolerance, self.which, self.count = tolerance, which, count
        lengths = torch.linalg.vector_norm(vectors.double(), dim=0)
        self.images = images / torch.where(lengths > 0, lengths, 1.0).to(images)
        magnitudes = (self.vectors.double() * self.images).sum(0).abs()
        order = magnitudes.argsort(descending=True)
        self.scales = torch.empty_like(magnitudes)
        self.scales[order] = scale_of(magnitudes[order], which, count)
        shape = vectors.shape[1], vectors.shape[1]
        draw = torch.randn(shape, generator=generator, dtype=torch.float64)
        self._coefficients = draw.to(vectors.device) / self.scales[:, None]

    def combinations(self, products: int) -> Tensor:
        """V D G, of shape (P, products), which the exact form is to multiply."""
        return (self.vectors.double() @ self._coefficients[:, :products]).to(self.vectors)

    def bound(self, products: Tensor) -> float:
        """A bound of ||(H - F) V D||_F from the exact products of :meth:`combinations`, (P, s)."""
        count = products.shape[1]
        errors = products.double() - self.images.double() @ self._coefficients[:, :count]
        return float(torch.linalg.vector_norm(errors)) / _smallest_share(count)

    @property
    def products_needed(self) -> int:
        """How many products make the bound of rounding alone small enough; K if no fewer do."""
        pairs = self.vectors.shape[1]
        if not bool((self.scales > 0).all()):
            return pairs
        rounding = ROUNDINGS * torch.finfo(self.vectors.dtype).eps
        rounding *= float(torch.linalg.vector_norm(self.scales.max() / self.scales))
        for products in range(1, pairs):
            expected = rounding * math.sqrt(products) / _smallest_share(products)
            if expected <= SHARE_OF_TOLERANCE * self.tolerance:
                return products
        return pairs

    def pairs(self, products: Tensor, method: str, steps: int) -> Eigenpairs | None:
        """The pairs, certified by the products of combinations; None where these say too little."""
        bound = self.bound(products)
        if not bound <= SHARE_OF_TOLERANCE * self.tolerance:
            return None
        return certificate(
            self.vectors,
            self.images,
            self.tolerance,
            method,
            steps,
            self.which,
            self.count,
            distances=bound * self.scales,
            precision=products.dtype,
        )


def certify_jointly(
    operator: SymmetricOperator, joint: JointCertificate, method: str, steps: int
) -> Eigenpairs:
    """As :func:`landscape.eigen.eigenpairs.certify`, by fewer products where these say enough.

    Else every pair is certified singly.
    """
    products = joint.products_needed
    if products < joint.vectors.shape[1]:
        exact = operator.exact_matmat(joint.combinations(products))
        pairs = joint.pairs(exact, method, steps)
        if pairs is not None:
            return pairs
    return certify(
        operator, joint.vectors, joint.tolerance, method, steps, joint.which, joint.count
    )


def _smallest_share(products: int) -> float:
    """d for so many products."""
    return math.sqrt(products / math.e) * EXCEEDED ** (1 / products)
