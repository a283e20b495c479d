"""What is saved comes back to the bit, and nothing else is taken for it."""

import hashlib
import json

import numpy as np
import pytest

from swarm.regime import saved
from swarm.regime.errors import AlteredState, ForeignState

pytestmark = pytest.mark.req("REG-2")
PARAMS = saved.params_hash("sample", 1, {"hazard": 0.1})
ARRAYS = {
    "weight": np.array([[0.1, -np.inf], [np.nan, 5e-324]]),
    "age": np.array([3, -(2**62)]),
    "open": np.array([True, False]),
    "none": np.zeros((0, 4)),
}


def packed(**changes):
    given = {"name": "sample", "version": 1, "params_hash": PARAMS, "tick": 7, "arrays": ARRAYS}
    return saved.pack(**(given | changes))


def resealed(state, old, new):
    body = state[:-32].replace(old, new)
    return body + hashlib.sha256(body).digest()


def test_what_is_saved_comes_back_to_the_bit():
    back = saved.unpack(packed(), "sample", 1, PARAMS)
    assert back.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == array.shape
        assert back[key].tobytes() == array.tobytes()
        assert back[key].flags.writeable
    assert saved.tick_of(packed()) == 7


def test_equal_states_give_equal_bytes_whatever_their_order_or_layout():
    other = {key: np.asfortranarray(ARRAYS[key]) for key in reversed(ARRAYS)}
    other["age"] = ARRAYS["age"].astype(">i8")
    assert packed(arrays=other) == packed()
    assert saved.state_hash(packed(arrays=other)) == saved.state_hash(packed())
    assert saved.state_hash(packed(tick=8)) != saved.state_hash(packed())


@pytest.mark.parametrize("at", [0, 8, 12, 40, 200, -33, -1])
def test_one_flipped_bit_is_refused(at):
    state = bytearray(packed())
    state[at] ^= 1
    with pytest.raises(AlteredState):
        saved.unpack(bytes(state), "sample", 1, PARAMS)


@pytest.mark.parametrize("length", [0, 7, 12, 44, -1])
def test_bytes_cut_short_are_refused(length):
    with pytest.raises(AlteredState):
        saved.unpack(packed()[:length], "sample", 1, PARAMS)


def test_bytes_behind_the_seal_are_refused():
    with pytest.raises(AlteredState):
        saved.unpack(packed() + b"\0", "sample", 1, PARAMS)


@pytest.mark.parametrize(
    ("name", "version", "params", "field"),
    [
        pytest.param("other", 1, PARAMS, "state.name", id="of-another-detector"),
        pytest.param("sample", 2, PARAMS, "state.version", id="of-another-version"),
        pytest.param("sample", 1, "0" * 64, "state.params", id="of-other-parameters"),
    ],
)
def test_a_state_of_something_else_is_refused_by_name(name, version, params, field):
    with pytest.raises(ForeignState) as refused:
        saved.unpack(packed(), name, version, params)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"<i8"', b'"|O8"', id="an-object"),
        pytest.param(b"[2,2]", b"[2,1]", id="another-shape"),
        pytest.param(b'"tick"', b'"tack"', id="a-header-that-lacks-something"),
        pytest.param(b'{"arrays"', b'{"arrays', id="a-header-that-is-no-json"),
    ],
)
def test_a_forged_header_is_refused_although_its_seal_is_right(old, new):
    with pytest.raises(AlteredState):
        saved.unpack(resealed(packed(), old, new), "sample", 1, PARAMS)


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["a"]), np.float32([1])])
def test_what_has_no_fixed_bytes_is_not_saved(array):
    with pytest.raises(TypeError, match=r"sample\.x"):
        packed(arrays={"x": array})


def test_the_hash_of_parameters_sees_their_last_bit():
    near = saved.params_hash("sample", 1, {"hazard": np.nextafter(0.1, 1)})
    assert near != PARAMS
    assert saved.params_hash("sample", 1, {"hazard": 0.1}) == PARAMS
    assert len(PARAMS) == 64
    with pytest.raises(TypeError):
        saved.params_hash("sample", 1, {"x": object()})


def test_the_header_is_plain_json():
    state = packed()
    length = int.from_bytes(state[8:12], "little")
    assert json.loads(state[12 : 12 + length])["tick"] == 7
