import gc
import subprocess
import sys
import weakref

import bundles
import numpy as np
import pytest
from sanity import rank_correlation, sanity

from aiface.errors import ModelError
from aiface.faces.crop import Quad, crop_face, face_quad
from aiface.faces.finder import Face
from aiface.models.grad_cam import (
    FAINT,
    INNER_SHARE,
    STRENGTH,
    _feature_model,
    class_activation,
    heat_map,
    onto_frame,
    overlay_heat,
    share_inside_face,
)
from aiface.models.keras_import import keras
from aiface.models.network import build, predict_logits
from aiface.paths import ROOT

LAYERS = keras.layers


@pytest.fixture(scope="module")
def shipped():
    """The detector's own network."""
    from aiface.models.bundle import load_network

    return load_network(ROOT / "weights" / "mobilenet_v2")


@pytest.fixture(scope="module")
def crop(astronaut, face):
    return crop_face(astronaut, face)


def small(kernel, bias=0.0, before=()):
    """A network whose logit is `bias` and the mean over a crop's 8 x 8 tiles of `kernel` times their colour, 0 to 1."""
    image = x = keras.Input((256, 256, 3), dtype="uint8")
    for layer in (*before, LAYERS.Rescaling(1 / 255), LAYERS.AveragePooling2D(32)):
        x = layer(x)
    head = LAYERS.Dense(1)
    network = keras.Model(image, head(LAYERS.Dropout(0.5)(LAYERS.GlobalAveragePooling2D()(x))), name="small")
    head.set_weights([np.float32(kernel)[:, None], np.float32([bias])])
    return network


def grey(*shape, value=128):
    return np.full(shape, value, np.uint8)


# The map


def with_hidden(units=16):
    """`bundles.network` with a hidden layer before its logit, about half of whose units answer."""
    network = bundles.network()
    hidden = LAYERS.Dense(units, "relu", kernel_initializer="glorot_normal", bias_initializer="glorot_normal")
    network = keras.Model(network.input, LAYERS.Dense(1)(LAYERS.Dropout(0.5)(hidden(network.layers[-2].output))))
    kernel, bias = hidden.get_weights()
    hidden.set_weights([kernel * 30, bias * 30])
    return network


def offset(network, crops):
    """What a network's logits would be were its means 0, but the units that answer the same: `(n,)`."""
    (_, bias), *more = [layer.get_weights() for layer in network.layers if isinstance(layer, LAYERS.Dense)]
    if not more:
        return bias
    ((last, end),) = more
    hidden = next(layer for layer in network.layers if isinstance(layer, LAYERS.Dense))
    answers = np.asarray(keras.Model(network.input, hidden.output).predict_on_batch(crops)) > 0
    assert 0.2 < answers.mean() < 0.8
    return (answers * bias) @ last[:, 0] + end


@pytest.mark.parametrize("name", ["shipped", "layers", "hidden"])
def test_a_logit_is_the_mean_of_its_places(name, shipped, crop):
    network = {"shipped": lambda: shipped, "layers": bundles.network, "hidden": with_hidden}[name]()
    crops = np.stack((crop, np.ascontiguousarray(crop[::-1]), bundles.crops(1)[0]))
    cells = class_activation(network, crops)
    assert cells.dtype == np.float32
    logits = cells.mean(axis=(1, 2)) + offset(network, crops)
    np.testing.assert_allclose(logits, predict_logits(network, [crops]), atol=1e-4)
    assert np.ptp(logits) > 0


@pytest.mark.parametrize(("backbone", "channels"), [("densenet121", 1024), ("mobilenet_v2", 1280)])
def test_each_backbone_has_a_map(backbone, channels):
    model = _feature_model(build(backbone, 256))
    assert model.output_shape == (None, 8, 8, channels)
    assert isinstance(model.layers[-1], LAYERS.ReLU | LAYERS.Activation)  # the last maps, after batch norm and ReLU


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes TensorFlow's gradients")
@pytest.mark.parametrize("make", [bundles.network, with_hidden])
def test_it_is_grad_cam(crop, make):
    """Selvaraju et al. 2017, equations 1 and 2, by gradients; the closed form counts all 63 x 63 places as one sum."""
    import tensorflow

    network = make()
    pool = next(n for n, layer in enumerate(network.layers) if isinstance(layer, LAYERS.GlobalAveragePooling2D))
    with tensorflow.GradientTape() as tape:
        logit = maps = keras.Model(network.input, network.layers[pool].input)(crop[None])
        tape.watch(maps)
        for layer in network.layers[pool:]:
            logit = layer(logit)
    alpha = np.mean(tape.gradient(logit, maps), axis=(1, 2))
    grad_cam = np.maximum(np.asarray(maps) @ alpha[0], 0)
    places = maps.shape[1] * maps.shape[2]
    assert grad_cam.max() > 0
    np.testing.assert_allclose(
        np.maximum(class_activation(network, crop[None]), 0), places * grad_cam, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("left", [True, False])
def test_a_network_that_minds_a_corner(crop, top, left):
    """All but a quarter of the crop is cut off before the network sees it."""
    cut = ((0, 128) if top else (128, 0), (0, 128) if left else (128, 0))
    network = small((20, 20, 20), before=(LAYERS.Cropping2D(cut), LAYERS.ZeroPadding2D(cut)))
    (heat,) = heat_map(network, crop[None])
    assert (heat.dtype, heat.shape) == (np.float32, (256, 256))
    rows = slice(0, 128) if top else slice(128, 256)
    columns = slice(0, 128) if left else slice(128, 256)
    assert heat[rows, columns].sum() > 0.8 * heat.sum()  # the rest is the slope between the cells' centres
    outside = np.ones((256, 256), bool)
    outside[slice(0, 144) if top else slice(112, 256), slice(0, 144) if left else slice(112, 256)] = False
    assert not heat[outside].any()


@pytest.mark.parametrize(
    ("kernel", "bias", "peak"),
    [
        ((2 * FAINT, 0, 0), 0, 1.0),  # strong: 1 at its strongest
        ((2 * FAINT, 0, 0), -9, 1.0),  # whatever the rest of the network says
        ((FAINT, 0, 0), 0, 1.0),
        ((FAINT / 4, 0, 0), 0, 0.25),  # faint: not blown up
        ((-5, -5, 0), 3, 0.0),  # nothing for AI
        ((0, 0, 0), 0, 0.0),
    ],
)
def test_the_scale(kernel, bias, peak):
    image = grey(256, 256, 3, value=0)
    image[:64, :64, 0] = 255
    (heat,) = heat_map(small(kernel, bias), image[None])
    assert heat.max() == pytest.approx(peak, abs=1e-6)
    assert heat.min() == 0
    assert heat[:48, :48].min() == pytest.approx(peak, abs=1e-6)
    assert not heat[80:].any()


def test_what_is_hot_in_one_crop_does_not_change_another():
    images = bundles.crops(3)
    together = heat_map(small((3, 0, -3)), images)
    alone = [heat_map(small((3, 0, -3)), image[None])[0] for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert heat_map(small((3, 0, -3)), images[:0]).shape == (0, 256, 256)


def test_a_mirrored_crop_has_a_mirrored_map(crop):
    network = small((3, -1, 1))
    np.testing.assert_allclose(
        heat_map(network, crop[None, :, ::-1])[0, :, ::-1], heat_map(network, crop[None])[0], atol=1e-5
    )


def networks_that_have_no_map():
    image = keras.Input((256, 256, 3), dtype="uint8")
    maps = LAYERS.Conv2D(4, 8, strides=8)(LAYERS.Rescaling(1 / 255)(image))
    pooled = LAYERS.GlobalAveragePooling2D()(maps)
    yield "maximum pooling", LAYERS.Dense(1)(LAYERS.GlobalMaxPooling2D()(maps))
    yield "two logits", LAYERS.Dense(2)(pooled)
    yield "a probability", LAYERS.Dense(1, activation="sigmoid")(pooled)
    yield "two dense layers", LAYERS.Dense(1)(LAYERS.Dense(4)(pooled))
    yield "no head", pooled


@pytest.mark.parametrize("kind", [name for name, _ in networks_that_have_no_map()])
def test_a_network_without_a_map_is_named(kind):
    output = dict(networks_that_have_no_map())[kind]
    network = keras.Model(output._keras_history.operation.input, output)
    with pytest.raises(ModelError, match="expected a network that ends in global average pooling and one linear logit"):
        heat_map(network, grey(1, 256, 256, 3))


# Drawing


@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 1.0])
def test_the_face_stays_to_be_seen_under_the_heat(crop, value):
    heat = np.full((256, 256), value, np.float32)
    drawn, other = overlay_heat(crop, heat), overlay_heat(255 - crop, heat)
    assert (drawn.dtype, drawn.shape) == (np.uint8, crop.shape)
    contrast = (drawn.astype(float) - other) - (1 - STRENGTH * value) * (2.0 * crop - 255)
    assert np.abs(contrast).max() <= 1
    assert np.array_equal(drawn, crop) == (value == 0)


def test_hotter_is_brighter_and_red_before_yellow():
    heat = np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(8, axis=0)
    drawn = overlay_heat(grey(8, 256, 3, value=0), heat).astype(int)
    assert (np.diff(drawn.sum(axis=2)[0]) >= -1).all()
    red, green, blue = drawn[0, 160]
    assert red > 2 * blue > green
    assert drawn[0, 255].min() > 60


def turned(face, degrees, centre=(220, 120)):
    angle = np.deg2rad(degrees)
    matrix = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return Face(face.box, np.float32((face.landmarks - centre) @ matrix + centre), face.score)


def in_quad(shape, quad, margin=0.0):
    """Which pixels' middles lie in a quad grown by `margin` pixels: an independent reckoning, by its four sides."""
    rows, columns = np.indices(shape[:2]) + 0.5
    inside = np.ones(shape[:2], bool)
    for (x, y), (u, v) in zip(quad.corners, np.roll(quad.corners, -1, axis=0), strict=True):
        inside &= ((u - x) * (rows - y) - (v - y) * (columns - x)) / np.hypot(u - x, v - y) >= -margin
    return inside


@pytest.mark.parametrize("degrees", [0, 20, -70, 180])
@pytest.mark.parametrize("as_quad", [True, False])
def test_only_the_quad_is_drawn_on(astronaut, face, degrees, as_quad):
    face = turned(face, degrees)
    quad = face_quad(face.landmarks)
    drawn = onto_frame(astronaut, quad if as_quad else face, np.ones((256, 256), np.float32))
    changed = np.any(drawn != astronaut, axis=2)
    assert not changed[~in_quad(astronaut.shape, quad, 0.01)].any()
    assert changed[in_quad(astronaut.shape, quad, -0.01)].mean() > 0.99
    assert (drawn.dtype, drawn.shape) == (np.uint8, astronaut.shape)


@pytest.mark.parametrize("degrees", [0, 35, -120])
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_a_spot_is_drawn_where_the_crop_showed_it(face, degrees, scale):
    """There and back: the crop of the frame with the map on it shows the map."""
    frame = grey(1000, 1000, 3)
    middle = (500, 480)
    landmarks = turned(Face(face.box, face.landmarks - (222, 123), 1), degrees, (0, 0)).landmarks * scale + middle
    face = Face(face.box, np.float32(landmarks), 1)
    heat = np.zeros((256, 256), np.float32)
    heat[40:90, 150:220] = 1
    shown = crop_face(onto_frame(frame, face, heat), face).astype(float)
    spot = np.abs(shown - 128).sum(axis=2)
    rows, columns = (np.average(index, weights=spot) for index in np.indices(spot.shape))
    assert (rows, columns) == pytest.approx((64.5, 184.5), abs=1.0)
    assert spot[50:80, 165:205].min() > 100
    assert spot[:20].max() < 20
    assert spot[120:].max() < 20


def test_an_aligned_picture_is_drawn_on_as_a_whole(fake_finder):
    image = grey(512, 512, 3)
    aligned = fake_finder.aligned(image)
    aligned = Face(aligned.box, aligned.landmarks + np.float32(20), 1)  # its quad misses the corners; the crop doesn't
    heat = np.zeros((256, 256), np.float32)
    heat[0, 0] = heat[-1, -1] = 1
    changed = np.any(onto_frame(image, aligned, heat) != image, axis=2)
    assert changed[0, 0]
    assert changed[-1, -1]
    assert changed.sum() < 40


@pytest.mark.parametrize(
    ("centre", "half"), [((0, 0), 60), ((199, 100), 80), ((100, 50), 900), ((-500, 50), 60), ((90, 400), 20)]
)
def test_a_face_past_the_frames_border(centre, half):
    image = grey(100, 200, 3)
    image.flags.writeable = False
    quad = Quad(centre, (float(half), 0.0))
    changed = np.any(onto_frame(image, quad, np.ones((256, 256), np.float32)) != image, axis=2)
    np.testing.assert_array_equal(changed, in_quad(image.shape, quad))


# Where the heat lies


def blob(x, y, side=256, radius=0.05):
    rows, columns = (np.indices((side, side)) + 0.5) / side
    return (np.hypot(columns - x, rows - y) < radius).astype(np.float32)


@pytest.mark.parametrize(
    ("heat", "share"),
    [
        (np.zeros((256, 256), np.float32), None),
        (np.ones((256, 256), np.float32), INNER_SHARE),
        (np.full((64, 64), 1e-3, np.float32), INNER_SHARE),
        (blob(0.5, 0.61), 1.0),
        (blob(0.5, 0.80), 1.0),  # the chin
        (blob(0.5, 0.20), 0.0),  # the forehead's hair
        (blob(0.1, 0.61), 0.0),
        (blob(0.5, 0.61) + blob(0.05, 0.05) + blob(0.95, 0.95), 1 / 3),
        (blob(0.5, 0.61) + 3 * blob(0.1, 0.1), 1 / 4),
    ],
)
def test_share_inside_the_face(heat, share):
    assert share_inside_face(heat) == (share and pytest.approx(share, abs=0.02))


# Sanity


def test_maps_show_what_was_learnt(shipped, crop):
    crops = np.stack((crop, crop[:, ::-1]))
    before = [weight.copy() for weight in shipped.get_weights()]
    found = sanity(shipped, crops, seed=0)
    assert 0 <= found.network < 0.6
    assert 0 <= found.head < 0.8
    for weight, old in zip(shipped.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_sanity_is_the_same_for_the_same_seed():
    network, crops = bundles.network(), bundles.crops(3)
    first = sanity(network, crops, seed=1)
    assert sanity(network, crops, seed=1) == first
    assert sanity(network, crops, seed=2) != first


def test_a_map_that_shows_nothing_learnt_is_found_out(crop):
    """Whatever its weights, one channel's map marks the same places."""
    one_channel = LAYERS.Conv2D(1, 1, use_bias=False)
    image = keras.Input((256, 256, 3), dtype="uint8")
    x = LAYERS.AveragePooling2D(32)(one_channel(LAYERS.Rescaling(1 / 255)(image)))
    network = keras.Model(image, LAYERS.Dense(1)(LAYERS.GlobalAveragePooling2D()(x)))
    assert sanity(network, crop[None]).head == pytest.approx(1)


RAMP = np.arange(64, dtype=np.float32).reshape(1, 8, 8)


@pytest.mark.parametrize(
    ("maps", "others", "expected"),
    [
        (RAMP, RAMP, 1.0),
        (RAMP, np.exp(RAMP / 9), 1.0),  # ranks
        (RAMP, -RAMP, 1.0),
        (RAMP, np.zeros_like(RAMP), 0.0),
        (np.concatenate((RAMP, RAMP)), np.concatenate((RAMP, np.zeros_like(RAMP))), 0.5),
        (RAMP, RAMP.transpose(0, 2, 1), 16 / 65),
    ],
)
def test_rank_correlation(maps, others, expected):
    assert rank_correlation(maps, others) == pytest.approx(expected)


def test_the_shipped_detectors_maps_agree_with_themselves(shipped, crop):
    maps = class_activation(shipped, crop[None])
    assert rank_correlation(maps, class_activation(shipped, crop[None])) == pytest.approx(1, abs=1e-12)


# What it costs


def test_a_network_is_taken_apart_once(crop, monkeypatch):
    network, made = small((1, 1, 1)), []
    model = keras.Model
    monkeypatch.setattr(keras, "Model", lambda *args: made.append(args) or model(*args))
    for _ in range(3):
        heat_map(network, crop[None])
    assert len(made) == 1


def test_few_networks_are_kept():
    gone = weakref.ref(network := small((1, 1, 1)))
    heat_map(network, bundles.crops(1))
    del network
    for _ in range(2):
        heat_map(small((1, 1, 1)), bundles.crops(1))
    gc.collect()
    assert gone() is None


ON_JAX = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import bundles
from sanity import sanity
from aiface.models.grad_cam import class_activation
from aiface.models.network import predict_logits
from aiface.models.keras_import import keras

network, crops = bundles.network(), bundles.crops(2)
logits = class_activation(network, crops).mean(axis=(1, 2)) + network.layers[-1].get_weights()[1]
same = np.allclose(logits, predict_logits(network, [crops]), atol=1e-4)
print(keras.backend.backend(), same, 0 <= sanity(network, crops).network <= 1)
"""


def test_on_jax():
    result = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(ROOT / "tests" / "helpers")], capture_output=True, text=True, cwd=ROOT,
        env={"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["jax", "True", "True"]
