"""The catalogue as data: small open models, what they may be used for and what was published about them.

Figures are the makers' own unless the source says otherwise. What could not be verified is left empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.registry.models import LicenceClass

STARTER_SLUG = "slmhub-starter"

APACHE = "Apache-2.0"
MIT = "MIT"
NVIDIA_OPEN = "NVIDIA Open Model License"
NON_COMMERCIAL = "CC-BY-NC-4.0"

REASONER = "Made for reasoning: answers think first, which costs tokens on short, repetitive calls."
RESEARCH_ONLY = "Its licence is for research: it may be trained and compared here, its rollout is blocked."
DISTILL = f"{REASONER} The maker advises no system prompt and temperature 0.6; no trained tool skill."
HERMES = "<tool_call>{json}</tool_call>"
XLAM_FORMAT = "one bare JSON list of {name, arguments}"
CARD = "maker's model card"
BFCL = "BFCL V4 results table of 2026-04-12"


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue. `parameters` counts weights, `context` tokens, `memory_gb` bf16 weights."""

    slug: str
    name: str
    family: str
    hub_id: str
    parameters: int | None
    context: int | None
    licence: str
    licence_class: LicenceClass
    architecture: str = ""
    tool_format: str = ""
    memory_gb: float | None = None
    trainable: bool = True
    remarks: str = ""
    source: str = ""
    values: dict[str, float] = field(default_factory=dict)


MAY, IF, NOT = LicenceClass.PERMISSIVE, LicenceClass.CONDITIONAL, LicenceClass.RESEARCH

PHI = (
    Entry(
        "phi-4-mini",
        "Phi-4-mini-instruct",
        "Phi",
        "microsoft/Phi-4-mini-instruct",
        3_840_000_000,
        131_072,
        MIT,
        MAY,
        "Phi3ForCausalLM",
        "<|tool_call|>[{name, arguments}]<|/tool_call|>",
        7.7,
        remarks="Its closing tool tag is often missing, so parsers must tolerate that. Vocabulary of 200k: "
        "the logits, not the weights, fill the memory at long context.",
        source=CARD,
        values={
            "MMLU": 67.3,
            "MMLU-Pro": 52.8,
            "GSM8K": 88.6,
            "MATH": 64.0,
            "GPQA": 25.2,
            "Arena-Hard": 32.8,
        },
    ),
    Entry(
        "phi-3.5-mini",
        "Phi-3.5-mini-instruct",
        "Phi",
        "microsoft/Phi-3.5-mini-instruct",
        3_800_000_000,
        131_072,
        MIT,
        MAY,
        "Phi3ForCausalLM",
        "",
        7.6,
        remarks="No native tool format.",
        source=CARD,
        values={"MMLU": 69.0, "GSM8K": 86.2, "MMLU-Pro": 47.4, "HumanEval": 62.8},
    ),
    Entry(
        "phi-4",
        "Phi-4",
        "Phi",
        "microsoft/phi-4",
        14_700_000_000,
        16_384,
        MIT,
        MAY,
        "Phi3ForCausalLM",
        "",
        29.4,
        remarks="No native tool format. The largest of the list; often what a specialist is compared with.",
        source=CARD,
        values={"MMLU": 84.8, "MMLU-Pro": 70.4, "GPQA": 56.1, "IFEval": 63.0, "HumanEval": 82.6},
    ),
)

NEMOTRON = (
    Entry(
        "nemotron-h-8b",
        "Nemotron-H-8B-Reasoning-128K",
        "Nemotron-H",
        "nvidia/Nemotron-H-8B-Reasoning-128K",
        8_000_000_000,
        131_072,
        "NVIDIA Internal Scientific Research and Development",
        NOT,
        "NemotronHForCausalLM",
        "described in its model card",
        16.5,
        remarks=f"Hybrid of Mamba and attention. {RESEARCH_ONLY}",
    ),
    Entry(
        "nemotron-nano-9b-v2",
        "Nemotron-Nano-9B-v2",
        "Nemotron-H",
        "nvidia/NVIDIA-Nemotron-Nano-9B-v2",
        8_900_000_000,
        131_072,
        NVIDIA_OPEN,
        IF,
        "NemotronHForCausalLM",
        "parser shipped with the model",
        17.8,
        remarks="The successor that may be deployed; thinking is switched by /think and /no_think. LoRA "
        "reaches its projections; the Mamba convolutions stay frozen.",
        source=CARD,
        values={
            "AIME25": 72.1,
            "MATH-500": 97.8,
            "GPQA": 64.0,
            "LiveCodeBench": 71.1,
            "BFCL v3": 66.9,
            "IFEval": 90.3,
        },
    ),
)

SMOL = (
    Entry(
        "smollm2-135m",
        "SmolLM2-135M-Instruct",
        "SmolLM2",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        135_000_000,
        8_192,
        APACHE,
        MAY,
        "LlamaForCausalLM",
        "",
        0.27,
        remarks="Trains on a CPU; weak at tool calls untrained.",
        source=CARD,
        values={"IFEval": 29.9, "GSM8K": 1.4},
    ),
    Entry(
        "smollm2-360m",
        "SmolLM2-360M-Instruct",
        "SmolLM2",
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        360_000_000,
        8_192,
        APACHE,
        MAY,
        "LlamaForCausalLM",
        "",
        0.72,
        remarks="Weak at tool calls untrained.",
        source=CARD,
        values={"IFEval": 41.0, "GSM8K": 7.4},
    ),
    Entry(
        "smollm2-1.7b",
        "SmolLM2-1.7B-Instruct",
        "SmolLM2",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        1_710_000_000,
        8_192,
        APACHE,
        MAY,
        "LlamaForCausalLM",
        "<tool_call>[{json}, …]</tool_call>",
        3.4,
        remarks="Writes a JSON list inside the tag, where Hermes parsers expect one object.",
        source=CARD,
        values={
            "IFEval": 56.7,
            "MT-Bench": 6.13,
            "GSM8K": 48.2,
            "MMLU-Pro": 19.3,
            "BBH": 32.2,
            "HellaSwag": 66.1,
        },
    ),
    Entry(
        "smollm3-3b",
        "SmolLM3-3B",
        "SmolLM3",
        "HuggingFaceTB/SmolLM3-3B",
        3_000_000_000,
        65_536,
        APACHE,
        MAY,
        "SmolLM3ForCausalLM",
        HERMES,
        6.2,
        remarks="Thinking can be switched off; 128K context with YaRN.",
    ),
)

HYMBA = (
    Entry(
        "hymba-1.5b",
        "Hymba-1.5B-Instruct",
        "Hymba",
        "nvidia/Hymba-1.5B-Instruct",
        1_520_000_000,
        8_192,
        NVIDIA_OPEN,
        IF,
        "HymbaForCausalLM (remote code)",
        "",
        3.05,
        trainable=False,
        remarks="Not trainable here: its architecture is not part of transformers and would run code from "
        "the model's own repository with special GPU kernels; its card also limits generation to "
        "batches of one.",
        source="arXiv 2411.13676, against Llama-3.2-3B",
        values={"average gain, points": 1.32, "throughput, ×": 3.49, "cache, × smaller": 11.67},
    ),
)

DEEPSEEK = (
    Entry(
        "deepseek-r1-distill-qwen-1.5b",
        "DeepSeek-R1-Distill-Qwen-1.5B",
        "DeepSeek-R1-Distill",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        1_780_000_000,
        131_072,
        MIT,
        MAY,
        "Qwen2ForCausalLM",
        "",
        3.6,
        remarks=DISTILL,
        source=CARD,
        values={"AIME24": 28.9, "MATH-500": 83.9, "GPQA-D": 33.8, "LiveCodeBench": 16.9},
    ),
    Entry(
        "deepseek-r1-distill-qwen-7b",
        "DeepSeek-R1-Distill-Qwen-7B",
        "DeepSeek-R1-Distill",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        7_620_000_000,
        131_072,
        MIT,
        MAY,
        "Qwen2ForCausalLM",
        "",
        15.2,
        remarks=DISTILL,
        source=CARD,
        values={"AIME24": 55.5, "MATH-500": 92.8, "GPQA-D": 49.1, "LiveCodeBench": 37.6},
    ),
    Entry(
        "deepseek-r1-distill-llama-8b",
        "DeepSeek-R1-Distill-Llama-8B",
        "DeepSeek-R1-Distill",
        "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        8_030_000_000,
        131_072,
        "MIT and Llama 3.1",
        IF,
        "LlamaForCausalLM",
        "",
        16.1,
        remarks=DISTILL,
        source=CARD,
        values={"AIME24": 50.4, "MATH-500": 89.1, "GPQA-D": 49.0, "LiveCodeBench": 39.6},
    ),
)

RETRO = (
    Entry(
        "retro-7.5b",
        "RETRO-7.5B",
        "RETRO",
        "",
        7_500_000_000,
        None,
        "none: no weights were released",
        NOT,
        "retrieval-enhanced transformer",
        "",
        None,
        trainable=False,
        remarks="Not trainable here: DeepMind released no weights. It stands for an idea, a small model that "
        "reads from a retrieval database; the nearest checkpoint runs in Megatron-LM only.",
    ),
)

XLAM = (
    Entry(
        "xlam-2-1b",
        "xLAM-2-1b-fc-r",
        "xLAM",
        "Salesforce/xLAM-2-1b-fc-r",
        1_500_000_000,
        32_768,
        NON_COMMERCIAL,
        NOT,
        "Qwen2ForCausalLM",
        XLAM_FORMAT,
        3.1,
        remarks=RESEARCH_ONLY,
        source=BFCL,
        values={"BFCL V4": 30.44, "multi-turn": 36.0, "irrelevance": 64.5},
    ),
    Entry(
        "xlam-2-3b",
        "xLAM-2-3b-fc-r",
        "xLAM",
        "Salesforce/xLAM-2-3b-fc-r",
        3_100_000_000,
        32_768,
        NON_COMMERCIAL,
        NOT,
        "Qwen2ForCausalLM",
        XLAM_FORMAT,
        6.2,
        remarks=RESEARCH_ONLY,
        source=BFCL,
        values={"BFCL V4": 41.22, "multi-turn": 58.38, "non-live": 82.96, "live": 62.92},
    ),
    Entry(
        "xlam-2-8b",
        "Llama-xLAM-2-8b-fc-r",
        "xLAM",
        "Salesforce/Llama-xLAM-2-8b-fc-r",
        8_000_000_000,
        131_072,
        f"{NON_COMMERCIAL} and Llama 3.1",
        NOT,
        "LlamaForCausalLM",
        XLAM_FORMAT,
        16.0,
        remarks=RESEARCH_ONLY,
        source=BFCL,
        values={"BFCL V4": 46.68, "multi-turn": 70.0, "non-live": 84.58, "live": 67.95},
    ),
)

QWEN = (
    Entry(
        "qwen3-0.6b",
        "Qwen3-0.6B",
        "Qwen3",
        "Qwen/Qwen3-0.6B",
        600_000_000,
        32_768,
        APACHE,
        MAY,
        "Qwen3ForCausalLM",
        HERMES,
        1.2,
        source=BFCL,
        values={"BFCL V4": 23.93},
    ),
    Entry(
        "qwen3-1.7b",
        "Qwen3-1.7B",
        "Qwen3",
        "Qwen/Qwen3-1.7B",
        1_700_000_000,
        32_768,
        APACHE,
        MAY,
        "Qwen3ForCausalLM",
        HERMES,
        3.4,
        source=BFCL,
        values={"BFCL V4": 28.41},
    ),
    Entry(
        "qwen3-4b-2507",
        "Qwen3-4B-Instruct-2507",
        "Qwen3",
        "Qwen/Qwen3-4B-Instruct-2507",
        4_000_000_000,
        262_144,
        APACHE,
        MAY,
        "Qwen3ForCausalLM",
        HERMES,
        8.0,
        source=BFCL,
        values={"BFCL V4": 35.68},
    ),
)

CATALOGUE: tuple[Entry, ...] = (*SMOL, *QWEN, *PHI, *DEEPSEEK, *NEMOTRON, *HYMBA, *XLAM, *RETRO)
