"""The share of completions that end by themselves, and a warning where almost none does: then every accuracy is 0,
whatever the policy knows.
"""

from ..policy import Policy, Rollouts
from ..policy.chat import turn_end
from ..run.folder import Run

FEW = 0.05


def finished_share(policy: Policy, rollouts: Rollouts, run: Run) -> float:
    """Share of the completions that ended by themselves; under `FEW` the run says so once, with the likely reason."""
    ended = sum(rollouts.finished)
    if ended < FEW * len(rollouts):
        cause = likely_reason(policy, rollouts)
        count = f"{ended} of {len(rollouts)} test completions ended by themselves"
        run.say("finished", f"{count}, and what is cut off counts as wrong; likely reason: {cause}")
    return ended / max(1, len(rollouts))


def likely_reason(policy: Policy, rollouts: Rollouts) -> str:
    """Why completions do not end, in words for whoever has to change it."""
    longest = max(map(len, rollouts.token_ids))
    prompt = max(len(policy.prompt_ids(prompt)) for prompt in set(rollouts.prompts))
    if not policy.stop_ids and policy.stop_text is None:
        return "the tokenizer has no end token, so nothing can end a completion"
    if prompt + longest >= policy.context:
        return (
            f"prompts of up to {prompt} tokens leave {longest} of the {policy.context} that the model reads: "
            "show fewer or shorter examples"
        )
    if policy.prompting.kind == "chat" and turn_end(policy.tokenizer) == (None, ""):
        return (
            "the chat template puts no end token behind a turn, so the model has seen none: choose few_shot "
            "prompting, or another template"
        )
    if policy.stop_text is not None:
        return (
            f"{policy.stop_text.text!r} was not written in {longest} tokens: max_new_tokens is too small, or "
            "the model does not follow its examples"
        )
    return (
        f"max_new_tokens is too small (completions were cut off at {longest}), or the model has not "
        "learned to write its end token"
    )
