"""Where the claims come from: who said so first, and where to find it."""

OURS = "our control"
DERIVED = "derived"

STAR = "STaR, arXiv:2203.14465"
REST_EM = "ReST^EM, arXiv:2312.06585"
RFT = "RFT, arXiv:2308.01825"
B_STAR = "B-STaR, arXiv:2412.17256"
SELF_IMPROVE = "Huang et al. 2022, Large Language Models Can Self-Improve, arXiv:2210.11610"
SELF_CONSISTENCY = "Wang et al. 2022, Self-Consistency, arXiv:2203.11171"
MODEL_COLLAPSE = "Shumailov et al. 2024, AI models collapse when trained on recursively generated data, Nature 631:755"
ACCUMULATE = "Gerstgrasser et al. 2024, Is Model Collapse Inevitable?, arXiv:2404.01413"

SPIN = "SPIN, arXiv:2401.01335"
ALPHA_SPIN = "alpha-SPIN, arXiv:2404.04291"
SPIN_CODE = "SPIN's repository, github.com/uclaml/SPIN"

ABSOLUTE_ZERO = "Absolute Zero, arXiv:2505.03335"
UNDERSTANDING = "Chae et al. 2025, Towards Understanding Self-play for LLM Reasoning, arXiv:2510.27072"
PASS_AT_K = (
    "Yue et al. 2025, Does Reinforcement Learning Really Incentivize Reasoning Capacity in LLMs Beyond the Base "
    "Model?, arXiv:2504.13837"
)
SPURIOUS = "Shao et al. 2025, Spurious Rewards, arXiv:2506.10947"
SUBNETWORKS = (
    "Mukherjee et al. 2025, Reinforcement Learning Finetunes Small Subnetworks in Large Language Models, "
    "arXiv:2505.11711"
)
PATH_NOT_TAKEN = "Zhu et al. 2025, The Path Not Taken, arXiv:2511.08567"
RAZOR = "Shenfeld et al. 2025, RL's Razor, arXiv:2509.04259"
SURVIVE = "Survive or Collapse, arXiv:2605.22217"
R_ZERO = "R-Zero, arXiv:2508.05004"
LEARNABLE = "Self-Play Only Evolves When Self-Synthetic Pipeline Ensures Learnable Information Gain, arXiv:2603.02218"

QUIET_STAR = "Quiet-STaR, arXiv:2403.09629"
PAUSE = "Goyal et al. 2023, Think before you speak: Training Language Models With Pause Tokens, arXiv:2310.02226"

MAGNETIC = "Magnetic mirror descent, arXiv:2206.05825"
SPIRAL = "SPIRAL, arXiv:2506.24119"
FICTITIOUS = "Heinrich, Lanctot and Silver 2015, Fictitious Self-Play in Extensive-Form Games, ICML 2015"
ALPHA_STAR = "AlphaStar, Vinyals et al. 2019, Nature 575:350"
