"""Small models in ONNX, written byte by byte: the package `onnx` is not needed to test what opens them.

Field numbers are those of onnx.proto; a protobuf message is a row of fields, each a tag and a value.
"""

import random
import struct
from collections.abc import Sequence

_IR_VERSION, _OPERATORS_VERSION = 8, 14
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7  # AttributeProto.AttributeType
_VARINT, _BYTES = 0, 2  # wire types


def linear_model(weights: Sequence[float]) -> bytes:
    """Return a model that gives the weighted sum of each row of `[any, len(weights)]` as `[any, 1]`."""
    return _model(
        nodes=[_node("MatMul", ["features", "weights"], ["prediction"])],
        constants=[_floats("weights", [len(weights), 1], weights)],
        inputs=[_tensor("features", ["rows", len(weights)])],
        outputs=[_tensor("prediction", ["rows", 1])],
    )


def two_input_model() -> bytes:
    """Return a model that adds two numbers, `left` and `right`."""
    return _model(
        nodes=[_node("Add", ["left", "right"], ["sum"])],
        constants=[],
        inputs=[_tensor("left", [1]), _tensor("right", [1])],
        outputs=[_tensor("sum", [1])],
    )


def lstm_model(
    *, sequence_length: int = 60, features: int = 5, hidden: int = 48, layers: int = 2, seed: int = 7
) -> bytes:
    """Return an LSTM from `[1, sequence_length, features]` to `[1, 1]` with a prediction between -1 and 1.

    The weights are random, the same for one seed; as it stands there are 29,425 of them.
    """
    chance = random.Random(seed)
    nodes = [_node("Transpose", ["features"], ["steps_0"], perm=[1, 0, 2])]
    constants = [_integers("direction_axis", [1]), _integers("layer_axis", [0])]
    width = features
    for layer in range(layers):
        names = [f"{letter}_{layer}" for letter in "WRB"]
        shapes = [[1, 4 * hidden, width], [1, 4 * hidden, hidden], [1, 8 * hidden]]
        constants += [_random(name, shape, chance) for name, shape in zip(names, shapes, strict=True)]
        outputs = [f"all_{layer}", f"last_{layer}"]
        nodes.append(_node("LSTM", [f"steps_{layer}", *names], outputs, hidden_size=hidden))
        nodes.append(_node("Squeeze", [f"all_{layer}", "direction_axis"], [f"steps_{layer + 1}"]))
        width = hidden
    constants += [_random("W_out", [hidden, 1], chance), _random("B_out", [1], chance)]
    nodes += [
        _node("Squeeze", [f"last_{layers - 1}", "layer_axis"], ["last"]),
        _node("MatMul", ["last", "W_out"], ["weighted"]),
        _node("Add", ["weighted", "B_out"], ["sum"]),
        _node("Tanh", ["sum"], ["prediction"]),
    ]
    return _model(
        nodes=nodes,
        constants=constants,
        inputs=[_tensor("features", [1, sequence_length, features])],
        outputs=[_tensor("prediction", [1, 1])],
    )


def _model(
    *,
    nodes: Sequence[bytes],
    constants: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> bytes:
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, "graph"),
            *(_field(5, constant) for constant in constants),
            *(_field(11, each) for each in inputs),
            *(_field(12, each) for each in outputs),
        ]
    )
    operators = _field(1, "") + _field(2, _OPERATORS_VERSION)
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, operators)


def _node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | list[int]
) -> bytes:
    return b"".join(
        [
            *(_field(1, name) for name in inputs),
            *(_field(2, name) for name in outputs),
            _field(4, operator),
            *(_field(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, _ATTRIBUTE_INT)
    return _field(1, name) + b"".join(_field(8, each) for each in value) + _field(20, _ATTRIBUTE_INTS)


def _random(name: str, shape: Sequence[int], chance: random.Random) -> bytes:
    count = 1
    for size in shape:
        count *= size
    return _floats(name, shape, [chance.gauss(0, 0.2) for _ in range(count)])


def _floats(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    return _constant(name, shape, _FLOAT, struct.pack(f"<{len(values)}f", *values))


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _constant(name, [len(values)], _INT64, struct.pack(f"<{len(values)}q", *values))


def _constant(name: str, shape: Sequence[int], data_type: int, data: bytes) -> bytes:
    sizes = b"".join(_field(1, size) for size in shape)
    return sizes + _field(2, data_type) + _field(8, name) + _field(9, data)


def _tensor(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = (_field(1, size) if isinstance(size, int) else _field(2, size) for size in shape)
    dimensions = b"".join(_field(1, size) for size in sizes)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, dimensions)))


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
