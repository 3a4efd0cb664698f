"""Another machine's roundings on this one: what hardware may round otherwise moves by a unit in the last place.

A processor with AVX-512, another BLAS or another libm gives another last bit of `exp`, of a power, a matrix product or
a sum. `shake(seed)` rewrites the source of spkit as it is imported, `shaken_source` that of a cell, so that each such
result goes through `nudge`. A result with nothing in its low bits (0, 1, 3/8, a count) is exact anywhere and stays.
Inside other libraries (a transformer's layers) nothing is moved.
"""

import ast
import builtins
import importlib.machinery
import sys
import tempfile
from types import CodeType
from typing import Any

import numpy as np
import torch

NUDGE = "__nudge__"  # the name under which rewritten source calls `nudge`
ROUNDED = {
    *(
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "logaddexp",
        "logsumexp",
        "power",
        "tanh",
        "sigmoid",
        "softplus",
    ),
    *("softmax", "log_softmax", "logsigmoid", "logit", "logaddexp2"),
    *("sum", "mean", "var", "std", "prod", "cumsum", "cumprod", "norm", "average", "reduce", "reduceat", "bincount"),
    *("matmul", "dot", "einsum", "tensordot", "outer", "linear"),
    *("beta", "normal", "exponential", "gamma", "dirichlet", "standard_normal"),  # drawn through exp and log
}
LAYOUT = {  # a whole number of as many bits, how many low ones an exact value lacks, an odd multiplier
    np.dtype("float64"): (np.uint64, 20, 0x9E3779B97F4A7C15),
    np.dtype("float32"): (np.uint32, 8, 0x9E3779B9),
}


def nudge_array(values: np.ndarray, seed: int) -> np.ndarray:
    """float32 or float64, half of them moved by a unit in the last place, as each one's bits and the seed say."""
    whole, low, multiplier = LAYOUT[values.dtype]
    bits = np.atleast_1d(np.ascontiguousarray(values)).view(whole)
    size = whole(8 * bits.itemsize - 1)
    mixed = (bits + whole(seed)) * whole(multiplier)
    inexact = ((bits & whole(2**low - 1)) != 0).astype(whole)  # infinities are exact
    step = (mixed >> size) - ((mixed >> (size - whole(1))) & whole(1))  # modulo the word, so -1 is there too
    return (bits + step * inexact).view(values.dtype).reshape(values.shape)


def nudge(value: Any, seed: int) -> Any:
    """The value, its floats moved: of an array, a tensor (its gradient passes) or one number; all else as it is."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in (torch.float32, torch.float64) or value.device.type != "cpu":
            return value
        still = value.detach()
        return value + (torch.from_numpy(np.asarray(nudge_array(still.numpy(), seed))) - still)
    if isinstance(value, np.ndarray | np.floating) and value.dtype in LAYOUT:
        moved = nudge_array(np.asarray(value), seed)
        return moved if isinstance(value, np.ndarray) else moved[()]
    return float(nudge_array(np.array(value), seed)) if isinstance(value, float) else value


class Shaken(ast.NodeTransformer):
    """Wraps matrix products, powers and calls of ROUNDED."""

    def wrap(self, node: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Call(ast.Name(NUDGE, ast.Load()), [node], []), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self.wrap(node) if isinstance(node.op, ast.MatMult | ast.Pow) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        builtin = isinstance(node.func, ast.Name) and name == "sum"  # Python adds in order, everywhere
        return self.wrap(node) if name in ROUNDED and not builtin else node


def shaken_source(tree: ast.Module) -> ast.Module:
    return ast.fix_missing_locations(Shaken().visit(tree))


def shake(seed: int) -> None:
    """From here on this process imports spkit with other roundings. AssertionError if it has begun already."""
    assert not any(name.startswith("spkit.") for name in sys.modules), (
        "spkit is imported already, with this machine's roundings"
    )
    loader, plain = importlib.machinery.SourceFileLoader, importlib.machinery.SourceFileLoader.source_to_code

    def source_to_code(self: Any, data: Any, path: Any, **options: Any) -> CodeType:
        if not self.name.startswith("spkit."):
            return plain(self, data, path, **options)
        return compile(shaken_source(ast.parse(data)), path, "exec", dont_inherit=True)

    setattr(builtins, NUDGE, lambda value: nudge(value, seed))
    sys.pycache_prefix = tempfile.mkdtemp()  # compiled files elsewhere know the other source
    loader.source_to_code = source_to_code
