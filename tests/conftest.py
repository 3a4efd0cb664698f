"""Small models shared by the tests."""

import os
import signal

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# the committed outputs are those of the default profile
for name in ("SPKIT_PROFILE", "SPKIT_MODEL", "SPKIT_DTYPE", "SPKIT_DEVICE"):
    os.environ.pop(name, None)
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job ignores Ctrl+C, which some tests send

import pytest
import torch
from filelock import FileLock
from transformers import PreTrainedModel

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.policy import Policy
from tests import budget

ALPHABET = "0123456789+=#:;"
SPENT = pytest.StashKey[float]()  # of the processor, when the last report was made


def make_policy(seed: int = 0, width: int = 64, layers: int = 2, context: int = 96) -> Policy:
    """A random model with strong layers and sharp logits, so that its text depends on what it reads and varies."""
    tokenizer = char_tokenizer(ALPHABET, context)
    policy = Policy(tiny_llama(tokenizer, context, seed, width=width, layers=layers), tokenizer)
    with torch.no_grad():
        for layer in policy.model.model.layers:
            for parameter in layer.parameters():
                parameter.mul_(6 if parameter.dim() > 1 else 1)
        policy.model.model.norm.weight.mul_(12)
    return policy


def in_four_bits(model: PreTrainedModel) -> PreTrainedModel:
    """The model, its linear layers but the head now in NF4 with double quantisation.

    Skips the test where bitsandbytes is missing.
    """
    bnb = pytest.importorskip("bitsandbytes")
    nf4 = dict(quant_type="nf4", compress_statistics=True)
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is torch.nn.Linear and layer is not model.lm_head:
                four = bnb.nn.Linear4bit(layer.in_features, layer.out_features, bias=layer.bias is not None, **nf4)
                four.weight, four.bias = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, **nf4), layer.bias
                four.support_avx512bf16_for_cpu = False  # or its weights are packed for a kernel without gradients
                setattr(module, name, four.to("cpu"))
    return model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The notebooks begin first: their module takes longest, and one process runs all of a module."""
    items.sort(key=lambda item: "test_notebooks.py" not in item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Every report says what its phase of the test has cost, to whichever process prints the summary."""
    report, now = (yield), budget.spent_so_far()
    report.cpu = now - item.config.stash.get(SPENT, now)
    item.config.stash[SPENT] = now
    return report


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """What the tests took, and the budget."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "cpu")]
    spent = budget.by_module((report.nodeid, report.cpu) for report in reports)
    for line in budget.lines(spent, whole=config.option.markexpr != "not whole"):
        terminalreporter.write_line(line)


@pytest.fixture
def policy() -> Policy:
    return make_policy()


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory):
    """A small model that stands in for one of the hub, trained once a session, whatever processes share it."""
    pytest.importorskip("bitsandbytes")
    from spkit.tasks import load_task
    from tests.hub_like import save_model

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "hub-like"
    with FileLock(f"{folder}.lock"):
        done = folder / "done"
        if not done.exists():
            save_model(folder, load_task("addition"), steps=500)
            done.touch()
    return folder
