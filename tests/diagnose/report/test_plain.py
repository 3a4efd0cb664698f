"""The plain data holds all of a diagnosis, in strict JSON, as its schema says."""

import json
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from spkit.diagnose.findings import Finding
from spkit.diagnose.judge import Diagnosis
from spkit.diagnose.report import data, plain
from spkit.diagnose.steps import Agreement, Checked, Evidence, Example, Histogram, Step
from spkit.run.json_files import dumps
from tests.diagnose.report.made import MADE, diagnosis

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with the `notebooks` extra")
SCHEMA = json.loads(Path(plain.__file__).with_name("diagnosis.schema.json").read_text(encoding="utf-8"))


def refused(value) -> list[str]:
    """What the schema has against it."""
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(value)]


@pytest.mark.parametrize("name", MADE)
def test_every_diagnosis_is_as_the_schema_says_in_strict_json(name):
    assert not refused(json.loads(dumps(data(MADE[name]()))))


def test_the_schema_is_one_and_would_refuse():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = data(diagnosis())
    assert plain.SCHEMA == SCHEMA["$id"] == SCHEMA["properties"]["schema"]["const"] == good["schema"]
    for bad in ({"extra": 1}, {"schema": "spkit-diagnosis/2"}, {"verdict": None}, {"steps": [{"step": "1"}]}):
        assert refused({**good, **bad})
    assert refused({name: value for name, value in good.items() if name != "findings"})


@pytest.mark.parametrize(
    ("form", "part"),
    [(Step, "step"), (Finding, "finding"), (Histogram, "histogram"), (Example, "example")],
)
def test_every_field_has_its_place_in_the_schema(form, part):
    assert {item.name for item in fields(form)} == set(SCHEMA["$defs"][part]["properties"])


def test_every_field_of_diagnosis_and_evidence_is_in_the_data():
    names = {item.name for item in (*fields(Diagnosis), *fields(Evidence)) if item.name != "evidence"}
    assert {plain.RENAMED.get(name, name) for name in names} | {"schema"} == set(data(diagnosis()))
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(data(diagnosis()))


def test_the_values_are_those_of_the_evidence():
    agreement, checked = Agreement(), Checked()
    for _ in range(30):
        agreement.add(Counter({1.0: 3, 0.0: 1}))
    checked.counts.update({(True, False): 1, (False, False): 3, (True, True): 4})
    made = diagnosis(
        texts=agreement, checked=checked, reward_gap=float("nan"), audited=((3, True, False),), leaked=(1, 9)
    )
    read = json.loads(dumps(data(made)))
    assert not refused(read)
    assert read["texts"]["clusters"] == 30 and read["texts"]["differ"] == pytest.approx(0.5) and read["answers"] is None
    assert read["checked"]["wrong_accepted"]["rate"] == 0.25 and read["audit"] is None and read["reward_gap"] is None
    assert read["audited"] == [[3, True, False]] and read["leaked"] == [1, 9]
    assert [step["useful"] for step in read["steps"]] == [step.useful for step in made.evidence.steps]
    assert "kl" not in read["steps"][0] and "kl" in SCHEMA["$defs"]["step"]["properties"]


def test_what_is_no_type_of_json_becomes_one():
    figures = {
        "n": np.float32(0.5),
        "i": np.int64(3),
        "nan": np.float64("nan"),
        "b": np.bool_(True),
        3: {1, 2},
        "p": Path("a"),
    }
    (found,) = MADE["one-fault"]().findings
    read = data(diagnosis((replace(found, figures=figures),)))
    assert json.loads(dumps(read["findings"][0]["figures"])) == {
        "n": 0.5, "i": 3, "nan": None, "b": True, "3": [1, 2], "p": "a",
    }  # fmt: skip
    assert not refused(json.loads(dumps(read)))
