"""What of a model 4 bits and LoRA reach, and a sentence where that is less than a reader would think.

bitsandbytes quantises plain linear layers. Since transformers 5 a mixture of experts (Mixtral, GPT-OSS) holds the
experts of a layer in one tensor, which is none, and stays as it is, without a word; so do Falcon's layers, whose
class is their own. peft adapts linear layers, and those experts that were linear layers before (Mixtral's, not
GPT-OSS's).
"""

from collections.abc import Iterator

from torch import Tensor, nn
from transformers import PreTrainedModel

from ..run.progress import tell
from .architecture import bare
from .memory import readable, weight_bytes

LARGE = 0.1  # share of the weights from which on it is told


def left_out_of_four_bits(model: PreTrainedModel) -> tuple[float, str]:
    """Share of all weights that are in matrices and not in 4 bits, embeddings and head aside, and the name of
    the largest ('' if none).
    """
    return _share(
        model,
        {id(parameter) for parameter in model.parameters() if getattr(parameter, "quant_state", None) is not None},
    )


def left_out_of_lora(model: nn.Module) -> tuple[float, str]:
    """The same for matrices without an adapter, in a model of peft."""
    adapted = (
        layer.get_base_layer()
        for layer in model.modules()
        if hasattr(layer, "lora_A") and hasattr(layer, "get_base_layer")
    )
    return _share(bare(model), {id(parameter) for layer in adapted for parameter in layer.parameters()})


def tell_left_out(model: nn.Module, where: str, four_bit: bool) -> None:
    """One sentence each where 4 bits, or LoRA, leave out more than LARGE of the weights. `model` is of peft."""
    if four_bit:
        share, largest = left_out_of_four_bits(bare(model))
        if share > LARGE:
            tell(
                f"spkit: {100 * share:.0f} % of the weights of {where} are not in 4 bits, as bitsandbytes "
                "takes plain linear layers alone (not "
                f"{largest}): the weights take {readable(weight_bytes(model))}; if that is too much, take another model"
            )
    share, largest = left_out_of_lora(model)
    if share > LARGE:
        tell(
            f"spkit: {100 * share:.0f} % of the weights of {where} get no LoRA adapter and stay as they are "
            f"({largest} and the like)"
        )


def _share(model: PreTrainedModel, reached: set[int]) -> tuple[float, str]:
    tied = {id(parameter) for part in _tables(model) for parameter in part.parameters()}
    sizes = {name: _count(parameter) for name, parameter in model.named_parameters() if ".lora_" not in name}
    matrices = ((name, p) for name, p in model.named_parameters() if p.dim() > 1 and ".lora_" not in name)
    left = {name: sizes[name] for name, parameter in matrices if id(parameter) not in reached | tied}
    return sum(left.values()) / max(1, sum(sizes.values())), max(left, key=left.__getitem__, default="").replace(
        ".base_layer", ""
    )


def _tables(model: PreTrainedModel) -> Iterator[nn.Module]:
    yield from (module for module in model.modules() if isinstance(module, nn.Embedding))
    head = model.get_output_embeddings()
    if head is not None:
        yield head


def _count(parameter: Tensor) -> int:
    """How many weights, where 4-bit ones are two a byte."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()
