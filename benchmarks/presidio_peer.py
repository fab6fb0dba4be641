"""Presidio's pattern recognisers without a language model.

Standard input: a JSON list of texts. Standard output: findings and CPU seconds.
"""

from __future__ import annotations

import json
import sys
import time

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

ENTITIES = ["EMAIL_ADDRESS", "CREDIT_CARD", "PHONE_NUMBER", "IBAN_CODE", "IP_ADDRESS", "US_SSN"]
NO_OP = {"nlp_engine_name": "no_op", "models": [{"lang_code": "en", "model_name": "no_op"}]}


def main() -> None:
    texts = json.load(sys.stdin)
    engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=NO_OP).create_engine())
    engine.analyze("warm@example.com", language="en", entities=ENTITIES)
    started = time.process_time()
    answers = [engine.analyze(text, language="en", entities=ENTITIES) for text in texts]
    spent = time.process_time() - started
    found = [[[a.start, a.end, a.entity_type] for a in answer] for answer in answers]
    json.dump({"cpu_s": spent, "found": found}, sys.stdout)


if __name__ == "__main__":
    main()
