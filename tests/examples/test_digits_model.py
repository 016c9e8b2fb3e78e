"""The committed digits network and test images, judged by the plain-integer reference of the tests."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asm.rules import ElementFormat
from examples.digits import reference
from sdk import tensors
from sdk.tensors import Integers
from tests.reference import integer

S32 = (integer.LOWEST, integer.HIGHEST)
SHAPES = {"conv1": (16, 3, 3, 1), "conv2": (64, 3, 3, 16), "dense": (10, 4, 4, 64)}


@pytest.fixture(scope="module")
def network() -> dict[str, Integers]:
    return reference.load_network()


def oracle_logits(image: Integers, network: dict[str, Integers]) -> list[int]:
    """One image through the network, with the tests' own arithmetic."""
    features = image[:, :, np.newaxis]
    for name, stride, padding in (("conv1", 1, 1), ("conv2", 2, 1)):
        sums = integer.conv2d(features, network[f"{name}_weights"], stride, (padding,) * 4)
        features = integer.requantise(sums, network[f"{name}_requant"], True, 0, 15)
    sums = integer.conv2d(features, network["dense_weights"])
    return integer.requantise(sums, network["dense_requant"], False, *S32).reshape(-1).tolist()


def test_arrays_have_the_shapes_and_ranges_of_the_hardware(network: dict[str, Integers]) -> None:
    assert sorted(network) == sorted(f"{name}_{part}" for name in SHAPES for part in ("requant", "weights"))
    for name, shape in SHAPES.items():
        weights, table = network[f"{name}_weights"], network[f"{name}_requant"]
        assert weights.shape == shape
        assert weights.dtype == np.int8
        assert table.dtype == np.int32
        chain = 4 if name == "dense" else 1
        assert len(tensors.pack_kernels(weights, ElementFormat.s4, chain)) >= weights.size // 2
        assert len(tensors.pack_requant(table)) == 16 * shape[0]
        assert not table[:, 3].any()
    assert np.unique(network["dense_requant"][:, 1:3], axis=0).tolist() == [[1, 0]]


def test_images_lie_in_the_file_as_the_stream_sends_them() -> None:
    images = reference.load_images()
    assert images.shape == (360, 8, 8)
    frames = b"".join(integer.pack_tensor(image[:, :, np.newaxis], "u4") for image in images)
    assert (reference.FOLDER / "images.bin").read_bytes() == frames


def test_the_committed_network_reads_the_committed_images(network: dict[str, Integers]) -> None:
    images, labels = reference.load_images(), reference.load_labels()
    expected = np.array([oracle_logits(image, network) for image in images])
    assert np.mean(expected.argmax(axis=1) == labels) >= 0.95
    logits = reference.logits(images)
    assert logits.dtype == np.int64
    assert np.array_equal(logits, expected)


WORD = st.integers(*S32)
NEAR_ZERO = st.integers(-40, 40)


@given(
    sums=st.lists(WORD | NEAR_ZERO, min_size=1, max_size=6),
    bias=WORD | NEAR_ZERO,
    multiplier=st.integers(0, integer.HIGHEST) | st.integers(0, 9),
    shift=st.integers(0, 62) | st.integers(0, 3),
    offset=WORD | NEAR_ZERO,
    relu=st.booleans(),
    limits=st.sampled_from([(0, 15), S32]),
)
@settings(deadline=None, max_examples=300)
@example([1, -1, 3, -3], 0, 1, 1, 0, False, S32)
@example([integer.HIGHEST, integer.LOWEST], -5, 1, 1, 0, False, S32)
@example([integer.HIGHEST, integer.LOWEST], 5, 1, 1, 0, False, S32)
def test_requantisation_agrees_with_plain_integers(
    sums: list[int], bias: int, multiplier: int, shift: int, offset: int, relu: bool, limits: tuple[int, int]
) -> None:
    column = np.array(sums)[:, np.newaxis]
    table = np.array([[bias, multiplier, shift, offset]])
    expected = integer.requantise(column, table, relu, *limits)
    assert reference.requantise(column, table, relu, *limits).tolist() == expected.tolist()


def test_test_images_are_the_split_that_training_leaves_out() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="pip install scikit-learn to compare with the data set")
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    seen, unseen, _, labels = train_test_split(
        digits.images, digits.target, test_size=360, random_state=0, stratify=digits.target
    )
    assert np.array_equal(reference.load_images(), np.minimum(unseen, 15))
    assert np.array_equal(reference.load_labels(), labels)
    assert len(seen) == 1437
    assert not {image.tobytes() for image in seen} & {image.tobytes() for image in unseen}
