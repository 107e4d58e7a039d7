"""Loads an ONNX graph with onnxruntime, and says in plain words why one cannot be used."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.number_types import DTYPES

MAX_PROBE = 16 * 1024 * 1024
"""Numbers of an input that a graph is tried with."""
_SILENT = 4  # onnxruntime's severity "fatal": errors are exceptions anyway
_FAILURES = (
    (
        r'(?:(\S+)\(-?\d+\) is not a registered function/op'
        r'|No Op registered for (\S+) with'
        r"|No opset import for domain '([^']+)')",
        'it uses the operator {0}, which ONNX Runtime {ort} does not have; expected standard '
        'operators alone: export it without custom ones',
    ),
    (
        r'Opset (\d+) is under development',
        'found opset {0}, expected one that ONNX Runtime {ort} knows: export it with '
        'opset_version=17, or install a newer onnxruntime',
    ),
    (
        r'Unsupported model IR version: (\d+), max supported IR version: (\d+)',
        'found the ONNX format (IR version) {0}, expected at most {1}, which ONNX Runtime {ort} '
        'knows: save it with model.ir_version = {1}, or install a newer onnxruntime',
    ),
)
"""Messages of onnxruntime on operators and versions that it does not know, and our words."""
# No file can exist below this path, so onnxruntime finds no external data.
_NOWHERE = os.path.join(os.devnull, 'no_external_data')  # noqa: PTH118


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph, as declared."""

    name: str
    shape: tuple[int | str | None, ...]
    """A string or None for a size that is not fixed."""
    dtype: str
    """As onnxruntime spells it; float32 is 'tensor(float)'."""


class Graph:
    """An ONNX graph loaded by onnxruntime."""

    def __init__(
        self,
        model: bytes,
        where: str,
        threads: int = 1,
        external: Mapping[str, bytes] | None = None,
    ) -> None:
        """
        Load a graph from memory.

        :param where: the file and entry, for errors.
        :param threads: for one operation; with more than one, threads spin while they wait.
        :param external: the files that its weights are in, by name; no other file is read.
        :raises ModelError: onnxruntime refuses it; nothing is printed.
        """
        self.where = where
        options = _session_options(threads)
        if external:
            options.add_external_initializers_from_files_in_memory(
                list(external), list(external.values()), [len(d) for d in external.values()]
            )
        try:
            self.session = ort.InferenceSession(
                model,
                options,
                providers=['CPUExecutionProvider'],
                enable_fallback=0,  # it would print, and try the same again
            )
            self.session._model_bytes = None  # it would keep the whole file for another provider
            self.inputs = tuple(_tensor(node) for node in self.session.get_inputs())
            self.outputs = tuple(_tensor(node) for node in self.session.get_outputs())
            self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        # onnxruntime has a dozen exception classes, without a common base below Exception.
        except Exception as error:
            raise ModelError(f'{where}: {_load_failure(error)}') from None

    def run_once(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
        """
        Run the graph on arrays that onnxruntime copies.

        :return: every output, by name.
        :raises ModelError: when onnxruntime fails.
        """
        try:
            outputs = self.session.run(None, dict(inputs), run_options())
        except Exception as error:
            raise ModelError(f'{self.where}: cannot be run: {short_message(error)}') from None
        return dict(zip((node.name for node in self.outputs), outputs, strict=True))


def probe(graph: Graph) -> dict[str, Any]:
    """
    Run a graph on zeros and on halves, one robot and one step where sizes are open.

    :return: the outputs that are the same both times, by name: constants of the file.
    :raises ModelError: when onnxruntime fails, or an input has a type of its own.
    """
    runs = []
    for value in (0.0, 0.5):
        inputs = {}
        for node in graph.inputs:
            if node.dtype not in DTYPES:
                raise ModelError(f'{graph.where}: input {node.name!r}: found {node.dtype}')
            shape = [size if isinstance(size, int) and size > 0 else 1 for size in node.shape]
            if math.prod(shape) > MAX_PROBE:
                raise ModelError(f'{graph.where}: input {node.name!r}: found the shape {shape}')
            inputs[node.name] = np.full(shape, value, DTYPES[node.dtype])
        runs.append(graph.run_once(inputs))
    first, second = runs
    return {name: first[name] for name in first if np.array_equal(first[name], second[name])}


def _session_options(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SILENT
    options.add_session_config_entry('session.intra_op.allow_spinning', str(int(threads > 1)))
    options.add_session_config_entry('session.load_model_format', 'ONNX')
    options.add_session_config_entry(
        'session.model_external_initializers_file_folder_path', _NOWHERE
    )
    return options


def run_options() -> Any:
    """Return options of one run: silent."""
    options = ort.RunOptions()
    options.log_severity_level = _SILENT
    return options


def _tensor(node: Any) -> Tensor:
    return Tensor(node.name, tuple(node.shape), node.type)


def _load_failure(error: Exception) -> str:
    text = str(error)
    if re.search('external ?(data|initializer)', text, re.IGNORECASE):
        return (
            'its weights are in files that are too short, or not there (only a bare .onnx has '
            'any, beside it); expected a graph saved with its weights inside'
        )
    for pattern, told in _FAILURES:
        if match := re.search(pattern, text):
            found = [group for group in match.groups() if group is not None]
            return told.format(*found, ort=ort.__version__)
    return f'onnxruntime cannot load it: {short_message(error)}'


def short_message(error: Exception) -> str:
    """Return an onnxruntime error in one line, without status code and source position."""
    text = re.sub(r'^\[ONNXRuntimeError\] : \d+ : \w+ : ', '', str(error))
    text = re.sub(r'^(Exception during initialization: )?/\S+:\d+ [^)]*\) ?', '', text)
    text = ' '.join(text.split()) or type(error).__name__
    return text if len(text) <= 240 else f'{text[:237]}...'
