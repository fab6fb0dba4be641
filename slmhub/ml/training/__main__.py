"""`python -m slmhub.ml.training SPEC.json`.

Exit codes: 0 the manifest stands; 2 the SPEC or its files are no good, with one JSON line
`{"error", "kind"}` on standard error; 143 stopped by SIGTERM after writing a checkpoint.
Run again with the same SPEC, it resumes and ends with the same weights.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from slmhub.ml.training.spec import InputError, TrainingSpec, read_examples, read_spec

BAD_INPUT = 2
STOPPED = 128 + signal.SIGTERM


def main(arguments: list[str]) -> int:
    try:
        if len(arguments) != 1:
            raise InputError("usage", "Usage: python -m slmhub.ml.training SPEC.json")
        spec = read_spec(Path(arguments[0]))
        for path in (spec.train, spec.validation):
            read_examples(path, spec.prompt_format)
        return _train(spec)
    except InputError as error:
        print(json.dumps({"error": str(error), "kind": error.kind}), file=sys.stderr)
        return BAD_INPUT


def _train(spec: TrainingSpec) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # The heavy imports take seconds; bad input has been refused by now.
    import torch
    import transformers

    from slmhub.ml.training.progress import CleanStop
    from slmhub.ml.training.run import run

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    stop = CleanStop()
    signal.signal(signal.SIGTERM, stop.request)
    return 0 if run(spec, stop) else STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
