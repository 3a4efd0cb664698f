"""A run shows the same prompts on every day it goes on, and no other run continues it."""

import datetime
import json
import re
from dataclasses import replace

import pytest
import torch
from transformers.utils import chat_template_utils

from spkit.bases.small import bpe_tokenizer, small_qwen2
from spkit.loops.star import StarConfig, star
from spkit.policy import Policy, Rollouts, load_policy
from spkit.policy.chat import rendered
from spkit.policy.prompting import Prompting, as_data
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.finishing import finished_share
from spkit.tasks import load_task
from tests.helpers import whole

CONFIG = StarConfig(
    iterations=1, problems_per_iteration=2, steps=1, batch_size=2, test_per_difficulty=1, rationalize=False
)
PLAIN = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<|endoftext|>{% endfor %}{% if "
    "add_generation_prompt %}<assistant>{% endif %}"
)
LLAMA = (
    "{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n        {%- set "
    "date_string = strftime_now('%d %b %Y') %}\n"
    "    {%- else %}\n        {%- set date_string = '26 Jul 2024' %}\n    {%- endif %}\n{%- endif "
    "%}\n{{- 'Today Date: ' + date_string + '\\n' }}" + PLAIN
)
DATED = {
    "llama 3": LLAMA,
    "smollm 3": "  {% set today = strftime_now('%d %B %Y') %}\n\nToday Date: {{ today }}\n" + PLAIN,
    "in a macro": (
        "{% macro head(f) %}It is {{ strftime_now(format=f) }}. {% endmacro %}\n  {% if messages %}\n  "
        "{{ head('%Y-%m-%d') }}{% endif %}\n"
    )
    + PLAIN,
    "in a loop": (
        "{% for m in messages %}{{ strftime_now('%A, %-d.%-m.%y, %j %% %%d') }}: {{ m['content'] "
        "}}<|endoftext|>{% endfor %}"
    ),
    "built from pieces": "\n{{ strftime_now('%' ~ 'B' ~ ' %e') | upper }}" + PLAIN,
}
SOME_DAYS = ("2026-03-09", "2027-11-21")


@pytest.fixture
def clock(monkeypatch):
    """Sets the day it is, for us and for transformers."""

    def to(day: str) -> None:
        class Day(datetime.date):
            @classmethod
            def today(cls):
                return datetime.date.fromisoformat(day)

        class Now(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.datetime.combine(Day.today(), datetime.time())

        monkeypatch.setattr("spkit.run.folder.date", Day)
        monkeypatch.setattr(chat_template_utils, "datetime", Now)

    return to


def chatty(template: str, *examples: tuple[str, str]) -> Policy:
    tokenizer = bpe_tokenizer(["12+34=46\n\n"], 300, 400)
    tokenizer.chat_template = template
    return Policy(small_qwen2(tokenizer, 400, 0, width=32, layers=1), tokenizer, Prompting("chat", examples))


def played(policy: Policy, run: Run, **changes) -> list[dict]:
    rows = list(star(policy, load_task("addition"), replace(CONFIG, **changes), run))
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.parametrize("day", SOME_DAYS)
@pytest.mark.parametrize("name", DATED)
def test_a_template_of_any_shape_shows_a_day_of_our_choosing_as_it_shows_today(name, day, clock):
    tokenizer, turns = chatty(DATED[name]).tokenizer, [{"role": "user", "content": "1+1="}]
    clock(day)
    today = rendered(tokenizer, turns, add_generation_prompt=True)
    clock("1999-12-31")
    assert rendered(tokenizer, turns, add_generation_prompt=True) != today
    assert rendered(tokenizer, turns, day, add_generation_prompt=True) == today
    assert Prompting("chat", date=day).render(tokenizer, "1+1=") == today


def test_a_template_is_dated_if_its_prompts_change_with_the_day():
    assert all(policy.prompting.dated(policy.tokenizer) for policy in map(chatty, DATED.values()))
    undated = chatty("{% if tools %}{{ strftime_now('%d') }}{% endif %}" + PLAIN)
    assert not undated.prompting.dated(undated.tokenizer)
    assert not chatty(PLAIN).prompting.dated(undated.tokenizer) and not Prompting().dated(undated.tokenizer)


def test_a_run_resumed_on_another_day_shows_the_prompts_of_its_first(tmp_path, clock, monkeypatch):
    said, shown = [], []
    monkeypatch.setattr("spkit.run.folder.tell", said.append)
    monkeypatch.setattr("spkit.policy.prompting.rendered", lambda *a, **k: shown.append(rendered(*a, **k)) or shown[-1])
    clock(SOME_DAYS[0])
    whole = played(chatty(LLAMA), Run(tmp_path / "whole"), iterations=2)
    played(chatty(LLAMA), Run(tmp_path / "two days"))
    assert json.loads((tmp_path / "two days" / "config.json").read_text())["prompting"]["date"] == SOME_DAYS[0]
    dates = [line for line in said if "prints the date" in line]
    assert len(dates) == 2 and all(SOME_DAYS[0] in line for line in dates), "once a run"
    clock(SOME_DAYS[1])
    shown.clear()
    assert played(chatty(LLAMA), Run(tmp_path / "two days"), iterations=2) == whole
    own = [
        text for text in shown if "31 Dec 1999" not in text and "04 May 2006" not in text
    ]  # those two are asked to see if it is dated
    assert own and all(text.startswith("Today Date: 09 Mar 2026") for text in own)
    assert (tmp_path / "two days" / "config.json").read_text() == (tmp_path / "whole" / "config.json").read_text()
    assert (tmp_path / "two days" / "samples.jsonl").read_text() == (tmp_path / "whole" / "samples.jsonl").read_text()
    saved = load_policy(tmp_path / "two days" / "checkpoints" / "iteration-0002")
    assert saved.prompting.date == SOME_DAYS[0], "and so does what is made of its checkpoints"


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (lambda: chatty(PLAIN + " "), "template"),
        (lambda: chatty(PLAIN, ("1+1=", "3")), "examples"),
        (lambda: chatty(LLAMA, ("1+1=", "2")), "template"),
        (lambda: chatty(PLAIN).prompted(Prompting("few_shot", (("1+1=", "2"),))), "kind"),
        (lambda: chatty(PLAIN).prompted(Prompting()), "kind"),
    ],
)
@pytest.mark.whole
def test_another_prompt_does_not_continue_a_run(tmp_path, other, field):
    run = {"method": "m", "base": "b"}
    Run(tmp_path).start(run, chatty(PLAIN, ("1+1=", "2")))
    Run(tmp_path).start(run, chatty(PLAIN, ("1+1=", "2")))
    with pytest.raises(SpkitError, match=rf"holds a run with prompting\.{field} = "):
        Run(tmp_path).start(run, Run(tmp_path).pinned(other()))


def test_other_few_shot_text_is_named(tmp_path):
    few = lambda answer: chatty(PLAIN).prompted(Prompting("few_shot", (("1+1=", answer),)))
    played(few("2"), Run(tmp_path))
    with pytest.raises(SpkitError, match=r"prompting\.examples = "):
        played(few("two"), Run(tmp_path))


@pytest.mark.parametrize("prompting", [Prompting("chat"), *whole(Prompting("few_shot", (("1+1=", "2"),)), Prompting())])
def test_a_folder_from_before_goes_on(tmp_path, prompting):
    policy, path = chatty(PLAIN).prompted(prompting), tmp_path / "config.json"
    before = played(policy, Run(tmp_path))
    config = json.loads(path.read_text())
    del config["prompting"]
    path.write_text(json.dumps(config))
    assert played(policy, Run(tmp_path), iterations=2)[:2] == before
    assert json.loads(path.read_text())["prompting"]["kind"] == prompting.kind
    assert "date" not in as_data(prompting), "or fingerprints, which name the base in its config.json, would be others"


def test_a_folder_from_before_whose_date_is_lost_says_so(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"method": "m", "base": "b"}))
    run = Run(tmp_path)
    with pytest.raises(SpkitError, match="did not keep the date its chat template printed"):
        run.start({"method": "m", "base": "b"}, run.pinned(chatty(LLAMA)))


FEW = Prompting("few_shot", (("1+1=", "2"),))


@pytest.mark.parametrize(
    ("policy", "ended", "reason"),
    [
        (lambda: chatty(PLAIN).prompted(FEW), 1, r"'\\n\\n' was not written in 7 tokens: max_new_tokens is too small"),
        (lambda: chatty(PLAIN).prompted(Prompting()), 0, "max_new_tokens is too small .*cut off at 7"),
        (lambda: chatty("{% for m in messages %}{{ m['content'] }}{% endfor %}"), 0, "puts no end token behind a turn"),
        (
            lambda: chatty(PLAIN).prompted(Prompting("few_shot", (("1+1=", "2" * 389),))),
            0,
            "prompts of up to 39. tokens leave 7 of the 400",
        ),
        (lambda: chatty(PLAIN).prompted(FEW), 2, None),
    ],
)
def test_a_run_in_which_next_to_nothing_ends_says_so_once(policy, ended, reason, monkeypatch):
    said, run, policy = [], Run(), policy()
    monkeypatch.setattr("spkit.run.folder.tell", said.append)
    drawn = Rollouts(["3+4="] * 40, [[5] * 7] * 40, ["x"] * 40, [], torch.zeros(40), [row < ended for row in range(40)])
    assert [finished_share(policy, drawn, run) for _ in range(2)] == [ended / 40] * 2
    assert len(said) == (reason is not None) and "\n" not in "".join(said)
    if reason:
        assert re.search(rf"{ended} of 40 test completions ended by themselves.* likely reason: .*{reason}", said[0])


def test_the_share_is_in_the_record():
    rows = played(chatty(PLAIN).prompted(FEW), Run())
    assert all(0 <= row["finished"] <= 1 for row in rows)
