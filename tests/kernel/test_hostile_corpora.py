"""The corpora of hostile JSON and YAML: every case gets the answer that the table says, in no time."""

from __future__ import annotations

import json
import time

import pytest

from esaa.kernel.ingest import CONTRACT, Limit, NotIngested, json_of, yaml_of
from tests.corpora.json import cases as json_cases
from tests.corpora.yaml import cases as yaml_cases
from tests.corpora.yaml.cases import Refused

JSON_LIMIT = Limit(4 << 20, 64)
CPU_S_MAX = 1.0


def _name(case: json_cases.Case | yaml_cases.Case) -> str:
    return f"{case.kind} {case.data[:24]!r}"


@pytest.mark.parametrize("case", list(json_cases.cases()), ids=_name)
def test_json_gets_the_answer_of_the_table(case: json_cases.Case) -> None:
    started = time.thread_time()
    if case.why == json_cases.TAKEN:
        assert json_of(case.data, JSON_LIMIT) == json.loads(case.data)
    else:
        with pytest.raises(NotIngested, match=case.why):
            json_of(case.data, JSON_LIMIT)
    assert time.thread_time() - started < CPU_S_MAX


@pytest.mark.parametrize("case", list(yaml_cases.cases()), ids=_name)
def test_yaml_gets_the_answer_of_the_table(case: yaml_cases.Case) -> None:
    started = time.thread_time()
    if isinstance(case.expected, Refused):
        with pytest.raises(NotIngested, match=case.expected.why):
            yaml_of(case.data, CONTRACT)
    else:
        value = yaml_of(case.data, CONTRACT)
        assert case.expected is None or repr(value) == repr(case.expected)
    assert time.thread_time() - started < CPU_S_MAX


def test_every_class_of_the_reference_is_there() -> None:
    assert len({case.kind for case in json_cases.cases()}) >= 15
    assert len({case.kind for case in yaml_cases.cases()}) >= 15
