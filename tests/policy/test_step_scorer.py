"""The process reward model against places counted by hand, closed forms and a case that can be told apart."""

import pytest
import torch

from spkit.policy import SftConfig, load_policy
from spkit.policy.step_scorer import StepExample, StepScorer, step_ends
from spkit.run.errors import SpkitError
from spkit.run.streams import generator


@pytest.fixture(scope="module")
def policy():
    return load_policy("sums")


def examples_of(policy, rows):
    """Prompt, completion and labels as the scorer reads them, end token included."""
    found = []
    for prompt, text, labels in rows:
        ids = [*policy.tokenizer(text, add_special_tokens=False)["input_ids"], policy.tokenizer.eos_token_id]
        found.append(StepExample(policy.prompt_ids(prompt), ids, step_ends(policy.tokenizer, ids, ";"), labels))
    return found


def test_the_ends_of_steps_are_the_separators_and_the_last_token(policy):
    ids = policy.tokenizer("1+2:3;3+4:7;7", add_special_tokens=False)["input_ids"] + [policy.tokenizer.eos_token_id]
    assert len(ids) == 14, "a token a character"
    assert step_ends(policy.tokenizer, ids, ";") == [5, 11, 13]
    assert step_ends(policy.tokenizer, ids[:3], ";") == [2], "cut off within the first step: its last token ends it"


def test_the_untrained_head_says_one_half_and_its_loss_is_ln_2(policy):
    scorer = StepScorer(policy)
    batch = examples_of(policy, [("1+2+4=", "1+2:3;3+4:7;7", [1.0, 0.0, 1.0]), ("5+6=", "5+6:11;11", [1.0, 0.25])])
    assert scorer.step_chances(batch) == [[0.5] * 3, [0.5] * 2]
    assert scorer.loss(batch).item() == pytest.approx(0.693147, abs=1e-5)


def test_the_gradient_of_the_head_is_the_closed_form(policy):
    """Of the mean cross-entropy: mean over steps of (probability - label) times the hidden state; the bias without."""
    scorer = StepScorer(policy)
    torch.nn.init.normal_(scorer.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    batch = examples_of(policy, [("1+2+4=", "1+2:3;3+4:7;7", [1.0, 0.0, 1.0]), ("5+6=", "5+6:11;11", [1.0, 0.25])])
    scorer.loss(batch).backward()
    errors, hiddens = [], []
    for example in batch:  # one at a time, without padding
        ids = torch.tensor([example.prompt + example.completion])
        with torch.no_grad():
            states = scorer.network(input_ids=ids).last_hidden_state[0]
        for end, label in zip(example.ends, example.labels):
            hidden = states[len(example.prompt) + end]
            hiddens.append(hidden)
            errors.append(torch.sigmoid(hidden @ scorer.head.weight[0] + scorer.head.bias[0]).item() - label)
    expected = sum(error * hidden for error, hidden in zip(errors, hiddens)) / len(errors)
    torch.testing.assert_close(scorer.head.weight.grad[0], expected.detach(), atol=1e-5, rtol=1e-3)
    assert scorer.head.bias.grad.item() == pytest.approx(sum(errors) / len(errors), abs=1e-5)


def test_it_learns_what_the_text_tells_apart_and_leaves_the_policy_alone(policy):
    """Steps that end on 7 are labelled wrong, those on 3 right: nothing else differs."""
    before = [weight.clone() for weight in policy.model.parameters()]
    rows = [(f"{a}+2=", f"{a}+2:{end};{end}", [float(end == 3)] * 2) for a in range(1, 10) for end in (3, 7)]
    batch, scorer = examples_of(policy, rows), StepScorer(policy)
    scorer.fit(batch, SftConfig(steps=30, batch_size=18, learning_rate=1e-3), generator(0, 1, "scorer"))
    right = [p > 0.5 for row in scorer.step_chances(batch) for p in row]
    assert right == [label == 1 for _, _, labels in rows for label in labels]
    assert all(torch.equal(old, new) for old, new in zip(before, policy.model.parameters()))


def test_it_counts_tokens_threefold_where_it_trains_and_reads_a_copy_once(policy):
    scorer, (example,) = StepScorer(policy), examples_of(policy, [("5+6=", "5+6:11;11", [1.0, 1.0])])
    tokens = len(example.prompt) + len(example.completion)
    scorer.step_chances([example, example])
    assert scorer.taken() == tokens
    scorer.fit([example], SftConfig(steps=2, batch_size=1), generator(0, 1, "scorer"))
    assert scorer.taken() == 2 * 3 * tokens and scorer.taken() == 0


def test_a_state_comes_back_and_that_of_another_network_is_refused(policy):
    scorer, (example,) = StepScorer(policy), examples_of(policy, [("5+6=", "5+6:11;11", [1.0, 0.0])])
    scorer.fit([example], SftConfig(steps=2, batch_size=1), generator(0, 1, "scorer"))
    again = StepScorer(policy).restore(scorer.state())
    assert again.step_chances([example]) == scorer.step_chances([example]) != [[0.5, 0.5]]
    with pytest.raises(SpkitError, match="another|not the state"):
        StepScorer(policy).restore({"head.weight": torch.zeros(1, 3)})
