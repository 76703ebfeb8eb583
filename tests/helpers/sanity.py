"""Whether a detector's maps show what its network has learnt."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from aiface.models.grad_cam import _activation, _feature_model, _features, _head
from aiface.models.keras_import import keras

HEADS = 16  # random heads that `sanity` averages over


@dataclass(frozen=True)
class Sanity:
    """How much maps stay the same when what was learnt is taken away: mean |Spearman's rho|, 0 to 1.

    head: with the weights of the last layer shuffled. network: with those of all layers shuffled.
    """

    head: float
    network: float


def sanity(network: keras.Model, crops: np.ndarray, seed: int = 0) -> Sanity:
    """The model parameter randomisation test of Adebayo et al. 2018 (arXiv:1810.03292), for uint8 RGB `crops`.

    Near 1, a map would say little of what was learnt. Each array of weights keeps its values in another order, so that
    no layer goes silent. The network given stays as it is. Raises `ModelError` as `class_activation` does.
    """
    rng = np.random.default_rng(seed)
    features, (*hidden, (last, bias)) = _features(_feature_model(network), crops), _head(network)
    maps = _activation(features, [*hidden, (last, bias)])
    heads = [
        rank_correlation(maps, _activation(features, [*hidden, (rng.permutation(last), bias)])) for _ in range(HEADS)
    ]
    other = _shuffled(network, rng)
    others = _activation(_features(_feature_model(other), crops), _head(other))
    return Sanity(float(np.mean(heads)), rank_correlation(maps, others))


def _shuffled(network: keras.Model, rng: np.random.Generator) -> keras.Model:
    other = keras.models.clone_model(network)
    other.set_weights([rng.permutation(weight.ravel()).reshape(weight.shape) for weight in network.get_weights()])
    return other


def rank_correlation(maps: np.ndarray, others: np.ndarray) -> float:
    """Mean over n maps `(n, rows, columns)` of |Spearman's rho| with their like among `others`; 0 for an even map.

    Absolute, since a map turned into its negative still marks the same places.
    """
    pairs = [(one.ravel(), other.ravel()) for one, other in zip(maps, others, strict=True)]
    return float(np.mean([abs(spearmanr(*pair).statistic) if np.ptp(pair, axis=1).all() else 0.0 for pair in pairs]))
