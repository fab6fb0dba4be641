"""`python -m slmhub.ml.serving --models DIR [--host H] [--port P] [--base NAME=PATH]…`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def main() -> None:
    options = _options()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # The heavy imports take seconds; --help and wrong options answer at once.
    import torch
    import transformers
    from aiohttp import web

    from slmhub.ml.serving.app import build_app
    from slmhub.ml.serving.catalogue import Catalogue
    from slmhub.ml.serving.engine import Engine
    from slmhub.ml.serving.loading import LoadedModels

    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    engine = Engine(LoadedModels(most=options.keep), batch=options.batch)
    app = build_app(Catalogue(options.models, dict(options.base)), engine)
    print(f"Serving {options.models} on {options.host}:{options.port}", flush=True)
    # handler_cancellation: a client that hangs up must stop the decoding of its answer.
    web.run_app(
        app,
        host=options.host,
        port=options.port,
        handler_cancellation=True,
        access_log=None,
        print=lambda *_: None,
        shutdown_timeout=5,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slmhub.ml.serving", description=__doc__)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8101)
    parser.add_argument("--base", type=_name_and_path, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--batch", type=int, default=64, help="rows that are decoded together at most")
    parser.add_argument("--keep", type=int, default=8, help="models that are kept in memory at most")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _name_and_path(text: str) -> tuple[str, str]:
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, path


if __name__ == "__main__":
    main()
