"""A number says the same however it is spelled: as an answer, as a gold one, with or without something beside it."""

import itertools

import pytest

from spkit.diagnose.texts import final_answer, gold_answer, has_extra

SPELLINGS = {
    "1234": [
        *(
            "1234",
            "1,234",
            "1234.0",
            "1,234.00",
            "$1,234",
            "$1,234.00",
            "\\$1,234.00",
            "US$1,234.00",
            "€1,234",
            "1,234€",
        ),
        *(
            "USD 1,234",
            "1,234 USD",
            "+1,234",
            "1'234",
            "1{,}234",
            "\\$1{,}234",
            "1\\,234",
            "**1,234**",
            "\\text{1,234}",
        ),
    ],
    "-1050": ["-1050", "-1,050", "\u22121,050", "-$1,050.00", "-1{,}050"],
    "1234567.5": ["1234567.5", "1,234,567.5", "$1,234,567.50", "1{,}234{,}567.50"],
    "999": ["999", "$999", "999.00", "$999.00", "+999"],
}
MARKED = ["#### {}", "<answer>{}</answer>", "\\boxed{{{}}}", "We add.\n#### {}"]
SAID = ["The answer is {}.", "**Answer: {}** it is", "so we get {}", "It costs {} in all."]
PAIRS = [(gold, text) for gold, texts in SPELLINGS.items() for text in texts]


@pytest.mark.parametrize(("gold", "text"), PAIRS)
def test_a_spelling_of_a_number_is_that_number(gold, text):
    assert gold_answer(text) == gold and gold_answer(f"We add.\n#### {text}") == gold
    frames = MARKED + SAID
    read = {frame: final_answer(frame.format(text)) for frame in frames}
    assert read == dict.fromkeys(frames, gold)


@pytest.mark.parametrize(("gold", "text"), PAIRS)
def test_no_spelling_has_more_beside_it_than_another(gold, text):
    for frame in MARKED + SAID:
        assert has_extra(frame.format(text), gold) == has_extra(frame.format(gold), gold), frame
    for frame in MARKED:
        assert not has_extra(frame.format(text), gold)


def test_different_numbers_stay_different():
    for (gold, text), (other, _) in itertools.product(PAIRS, PAIRS):
        if gold != other:
            assert final_answer(f"#### {text}") != other
    for text in ("12,34", "1,23", "1.234,00", "1,2345"):
        assert final_answer(f"#### {text}") not in ("1234", "123", "12345")
