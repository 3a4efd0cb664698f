"""A tiny model of SmolLM2's architecture, saved as one of the hub is: LlamaForCausalLM, grouped-query attention, tied
embeddings, a byte-level BPE tokenizer with its special tokens and its chat template. Its weights are random but for a
few updates on bare answers to stories, so that it ends its answers and some are right by chance.
"""

from pathlib import Path

from spkit.bases.small import bpe_tokenizer
from spkit.bases.tiny import tiny_llama
from spkit.policy import Policy, SftConfig
from spkit.policy.prompting import prompting_for
from spkit.run.streams import generator
from spkit.tasks import load_task

CONTEXT, STEPS = 1024, 60
SPECIAL = ["<|im_start|>", "<|im_end|>"]
SMOLLM2_CHAT = (  # as published with SmolLM2-135M-Instruct
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n"
    "' + message['content'] + '<|im_end|>' + '\n"
    "'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n"
    "' }}{% endif %}"
)


def save_llama(folder: Path) -> Path:
    """Write `model.safetensors`, `config.json` and the tokenizer; no settings file of ours."""
    task = load_task("stories")
    asked = [task.problem(0, index) for index in range(300)]
    tokenizer = bpe_tokenizer((f"{one.prompt} {task.solution(one)}" for one in asked), 700, CONTEXT)
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.eos_token = SPECIAL[1]
    tokenizer.chat_template = SMOLLM2_CHAT
    model = tiny_llama(tokenizer, CONTEXT, 0, layers=2)
    policy = Policy(model, tokenizer).prompted(prompting_for(task, tokenizer))
    pairs = [(problem.prompt, policy.completion_ids(task.direct(problem))) for problem in asked]
    policy.fit(pairs, SftConfig(STEPS, 16, 3e-3), generator(0, 0, "train"))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
