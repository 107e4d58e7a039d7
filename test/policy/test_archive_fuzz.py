"""Archives with changed bytes give a ModelError or an archive, no other exception."""

from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies import models
from helpers.policies.policy_cases import GOOD
from helpers.policies.policy_cases import INIT
from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import STEP
from helpers.policies.policy_cases import fix_checksums
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.archive import parse_archive
from kinfer_ros.policy.policy import policy_from_archive

TAR = gzip.decompress(
    models.raw_archive([('init_fn.onnx', b'i'), ('step_fn.onnx', b's'), ('metadata.json', b'{}')])
)[: 7 * 512]


def only_model_errors(data: bytes, path) -> None:
    try:
        parse_archive(data, path)
    except ModelError as error:
        assert str(path) in str(error)


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_fuzzed_files_give_model_errors_only(tmp_path_factory, data):
    """Any bytes in the file."""
    path = tmp_path_factory.getbasetemp() / 'fuzz.kinfer'
    only_model_errors(mutated(GOOD, data), path)


@given(st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_fuzzed_tars_give_model_errors_only(tmp_path_factory, data):
    """Any bytes inside an intact gzip, whose checksum does not catch the damage."""
    path = tmp_path_factory.getbasetemp() / 'fuzz.kinfer'
    only_model_errors(gzip.compress(mutated(TAR, data), 1), path)


def mutated(original: bytes, data) -> bytes:
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        kind = data.draw(st.sampled_from(['set', 'delete', 'insert', 'cut']))
        if kind == 'set':
            changed[at] = data.draw(st.integers(0, 255))
        elif kind == 'delete':
            del changed[at : at + data.draw(st.integers(1, 600))]
        elif kind == 'insert':
            changed[at:at] = data.draw(st.binary(min_size=1, max_size=40))
        else:
            del changed[at:]
        if not changed:
            break
    fix_checksums(changed)
    return bytes(changed)


@given(st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
@pytest.mark.filterwarnings('ignore:overflow encountered in dot')
def test_fuzzed_graphs_give_model_errors_only(tmp_path_factory, data):
    """Invalid names and types, for which onnxruntime raises many kinds of errors."""
    path = tmp_path_factory.getbasetemp() / 'fuzz.kinfer'
    init, step = INIT, STEP
    if data.draw(st.booleans()):
        init = mutated(INIT, data)
    else:
        step = mutated(STEP, data)
    with contextlib.suppress(ModelError):
        policy_from_archive(Archive(path, '', init, step, META))
