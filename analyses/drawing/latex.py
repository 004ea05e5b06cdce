"""Texts of figures as LaTeX sets them, whatever signs the names of networks have."""

import re
import unicodedata

# A dollar sign that is not escaped begins or ends a formula.
_FORMULA = re.compile(r"(?<!\\)\$")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    "-": "-{}",  # two of them would be a dash
    **{sign: f"\\{sign}" for sign in "{}_%&#$"},
}
# What plain LaTeX has in formulas alone.
_SYMBOLS = {
    "−": "-", "±": r"\pm", "×": r"\times", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq",
    "≈": r"\approx", "≠": r"\neq", "∞": r"\infty", "∂": r"\partial", "∇": r"\nabla",
    "‖": r"\Vert", "ℋ": r"\mathcal{H}", "½": r"\frac{1}{2}", "→": r"\rightarrow",
    "←": r"\leftarrow", "√": r"\surd", "°": r"^{\circ}", "…": r"\ldots", "•": r"\bullet",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon",
    "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa",
    "λ": r"\lambda", "μ": r"\mu", "µ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "π": r"\pi",
    "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\varphi",
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta",
    "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma",
    "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega",
}  # fmt: skip
_LETTERS = {"ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}",
            "Œ": r"\OE{}", "ł": r"\l{}", "Ł": r"\L{}", "å": r"\aa{}", "Å": r"\AA{}"}  # fmt: skip
# Combining marks, by the command that sets them in every font.
_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=",
    "\u0306": r"\u", "\u0307": r"\.", "\u0308": r"\"", "\u030b": r"\H", "\u030c": r"\v",
    "\u0327": r"\c",
}  # fmt: skip
_SCRIPTS = {"<sub>": "_", "<super>": "^"}


def latex_text(text: str, *, has_formulas: bool) -> str:
    r"""A text of a figure as LaTeX source.

    Args:
        text: as matplotlib draws it.
        has_formulas: whether what stands between dollar signs is a formula, and ``\$`` a dollar
            sign; otherwise all of it is text.

    Returns:
        Source that needs no package, and that pdfLaTeX, XeLaTeX and LuaLaTeX take. Letters that the
        fonts of pdfLaTeX don't have are question marks there.

    Example:
        >>> latex_text("50% of vit_b & co", has_formulas=False)
        '50\\% of vit\\_b \\& co'
    """
    if not has_formulas:
        return _plain(text)
    parts = _FORMULA.split(text)
    return "".join(
        _formula(part) if number % 2 else _plain(part.replace(r"\$", "$"))
        for number, part in enumerate(parts)
    )


def _formula(source: str) -> str:
    """A formula; what matplotlib alone knows, and signs that LaTeX does not, are replaced."""
    source = source.replace(r"\mathdefault", "")
    return rf"\ensuremath{{{''.join(_SYMBOLS.get(sign, sign) for sign in source)}}}"


def _plain(text: str) -> str:
    return "".join(map(_sign, text))


def _sign(sign: str) -> str:
    """One sign as source."""
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    if sign.isascii():
        return sign
    if sign in _SYMBOLS:
        return rf"\ensuremath{{{_SYMBOLS[sign]}}}"
    if sign in _LETTERS:
        return _LETTERS[sign]
    parts = unicodedata.decomposition(sign).split()
    if len(parts) == 2:
        base, mark = parts[0], chr(int(parts[1], 16))
        if base in _SCRIPTS and mark.isascii():
            return rf"\ensuremath{{{_SCRIPTS[base]}{{{mark}}}}}"
        if base not in _SCRIPTS and mark in _ACCENTS and not base.startswith("<"):
            letter = chr(int(base, 16))
            if letter.isascii():
                return f"{_ACCENTS[mark]}{{{letter}}}"
    # The branch that is not taken is skipped unread.
    return rf"\ifdefined\pdftexversion ?\else {sign}\fi{{}}"
