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

Rounding makes M, too: that of F alone where the exact products are in float64. For p = 0.5 % d is
1/330 for one product, 1/16 for two and 1/5.6 for three: one is enough where precision is far beyond
the tolerance, as where F is in float64, or for the loose tolerance of components. How many to take
is told beforehand by a usual rounding. Where the bound turns out larger, its M tells how many to
add, once: the bounds of two attempts are both right but for a probability of 2 p.
"""

import math

import torch
from torch import Tensor

from landscape.eigen.eigenpairs import Eigenpairs, certificate, certify, scale_of
from landscape.eigen.operator import SymmetricOperator
from landscape.eigen.sums import unit

# The probability with which the bound is too small, if F is wrong by more than rounding, and the
# attempts that share it.
EXCEEDED = 0.01
ATTEMPTS = 2
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

    def combinations(self, stop: int, start: int = 0) -> Tensor:
        """The columns of V D G from ``start`` to before ``stop``, to be multiplied exactly."""
        return (self.vectors.double() @ self._coefficients[:, start:stop]).to(self.vectors)

    def bound(self, products: Tensor) -> float:
        """A bound of ||(H - F) V D||_F from the exact products of :meth:`combinations`, (P, s)."""
        return self._distance(products) / _smallest_share(products.shape[1])

    def products_needed(self, known: Tensor | None = None) -> int:
        """How many products make the bound small enough; K if no fewer do.

        They are as many as rounding alone asks for, or, where exact products of combinations are
        ``known``, of shape (P, s), their distance from the fast ones.
        """
        pairs = self.vectors.shape[1]
        if not bool((self.scales > 0).all()):
            return pairs
        if known is None:
            distance = ROUNDINGS * torch.finfo(self.vectors.dtype).eps
            distance *= float(torch.linalg.vector_norm(self.scales.max() / self.scales))
        else:
            distance = self._distance(known) / math.sqrt(known.shape[1])
        for products in range(1 if known is None else known.shape[1] + 1, pairs):
            expected = distance * math.sqrt(products) / _smallest_share(products)
            if expected <= SHARE_OF_TOLERANCE * self.tolerance:
                return products
        return pairs

    def _distance(self, products: Tensor) -> float:
        """||M G||_F for exact products, of shape (P, s)."""
        coefficients = self._coefficients[:, : products.shape[1]]
        errors = products.double() - self.images.double() @ coefficients
        return float(torch.linalg.vector_norm(errors))

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

    Where the first products say too little some are added, and after that every pair is certified
    singly.
    """
    needed, exact = joint.products_needed(), joint.vectors.new_empty(len(joint.vectors), 0)
    for _ in range(ATTEMPTS):
        if needed == joint.vectors.shape[1]:
            break
        fresh = operator.exact_matmat(joint.combinations(needed, exact.shape[1]))
        exact = torch.cat([exact.to(fresh), fresh], dim=1)
        pairs = joint.pairs(exact, method, steps)
        if pairs is not None:
            return pairs
        needed = joint.products_needed(exact)
    return certify(
        operator, joint.vectors, joint.tolerance, method, steps, joint.which, joint.count
    )


def _smallest_share(products: int) -> float:
    """d for so many products."""
    return math.sqrt(products / math.e) * (EXCEEDED / ATTEMPTS) ** (1 / products)
