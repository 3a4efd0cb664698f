"""Random streams: no two purposes share draws, and no problem that is shown or mixed in is one that a loop asks."""

import ast
from itertools import permutations
from pathlib import Path

import pytest

import spkit
from spkit.loops.rest import RestConfig, real_data
from spkit.policy import load_policy
from spkit.policy.prompting import prompting_for
from spkit.run.streams import DEMONSTRATIONS, PROBLEM_STREAMS, PURPOSES, REAL, generator
from spkit.tasks import load_task, problems

ROOT = Path(spkit.__file__).parent


def forwarders(tree: ast.Module) -> dict[str, int]:
    """Every callable that takes a purpose, with the place of it among the arguments."""
    places = {"generator": 2}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            name, given = node.targets[0].id, node.value.args.args
        elif isinstance(node, ast.FunctionDef):
            name, given = node.name, node.args.args
        else:
            continue
        places |= {name: place for place, one in enumerate(given) if one.arg == "purpose" and name != "generator"}
    return places


def texts(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def purposes_of(path: Path) -> list[tuple[str, bool]]:
    """(purpose, whether a part follows it) of every call in a module that asks for a generator."""
    tree, found = ast.parse(path.read_text()), []
    places = forwarders(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in places:
            found += [(text, False) for default in node.args.defaults for text in texts(default) if text]
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in places):
            continue
        place = places[node.func.id]
        if len(node.args) > place and not (isinstance(node.args[place], ast.Name) and node.args[place].id == "purpose"):
            named = texts(node.args[place])
            assert named, f"{path}, line {node.lineno}: the purpose is no text that can be looked up"
            found += [(text, len(node.args) > place + 1) for text in named]
    return found


@pytest.fixture(scope="module")
def passed() -> list[tuple[str, bool]]:
    return [one for path in sorted(ROOT.rglob("*.py")) for one in purposes_of(path)]


def test_every_purpose_is_in_the_registry_and_every_one_in_it_is_used(passed):
    assert {purpose for purpose, _ in passed} == PURPOSES


def test_no_part_makes_one_purpose_of_another(passed):
    """`improve` with the part -1 would share the draws of `improve-` with the part 1."""
    parted = {purpose for purpose, part in passed if part}
    assert parted and not parted & {purpose for purpose, part in passed if not part}
    for one, other in permutations(PURPOSES, 2):
        assert not (one in parted and other.startswith(one))


def test_every_purpose_draws_by_itself():
    keys = [(seed, t, purpose) for seed in (0, 1) for t in (0, 1) for purpose in PURPOSES]
    assert len({generator(*key).initial_seed() for key in keys}) == len(keys)
    assert generator(0, 1, "learn").initial_seed() == generator(0, 1, "learn").initial_seed()
    assert generator(0, 1, "own-", 2).initial_seed() != generator(0, 1, "own-", 3).initial_seed()


def test_no_two_named_streams_are_one_and_none_is_the_seed_of_a_loop():
    assert len(set(PROBLEM_STREAMS.values())) == len(PROBLEM_STREAMS)
    assert all(stream < 0 or stream > 1_000_000 for stream in PROBLEM_STREAMS.values())
    source = ast.parse((ROOT / "run" / "streams.py").read_text())
    numbers = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.UnaryOp)
    }
    assert sorted(numbers.values()) == sorted(PROBLEM_STREAMS.values()), "every stream is in the registry"


@pytest.mark.parametrize("name", ["sums", "expressions", "word_problems"])
def test_what_rest_mixes_in_is_never_what_a_prompt_shows(name):
    task = load_task(name)
    policy, tokenizer = load_policy(name if name != "word_problems" else "words"), load_policy("words").tokenizer
    mixed_in = {prompt for prompt, _ in real_data(policy, task, RestConfig(real=100))}
    shown = {prompt for prompt, _ in prompting_for(task, tokenizer, shown=8, hinted=0).demonstrations}
    assert len(shown) == 8 and len(mixed_in) > 90 and not shown & mixed_in
    assert mixed_in == {problem.prompt for problem in problems(task, REAL, 0, 100)}
    assert shown == {task.problem(DEMONSTRATIONS, index).prompt for index in range(8)}
